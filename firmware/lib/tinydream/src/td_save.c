// SPDX-License-Identifier: MIT
// td_save.c - records of weights in flash, old or new after a power cut (SPEC.md, "Saved weights").
//
// A record is complete before its seal is written, and the seal, the header's complement, holds only when each of its
// bits is as it should be: so a write that was cut short, in whatever bits, never makes a record.
#include "td_save.h"

#include "td_frame.h"
#include "td_internal.h"

enum { IDLE, ERASING, WRITING, READING, HEADING, SEALING, FORGETTING };
enum { HEADER = 32, GRAIN = 2 * HEADER, PIECES = 4, VERSION = 1, RUN = 1 };
#define MAGIC 0x56534454u // "TDSV"

static uint32_t round_up(uint32_t size, uint32_t unit)
{
    return (size + unit - 1) / unit * unit;
}

static uint32_t get32(const uint8_t *data)
{
    return (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

static void put32(uint8_t *data, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        data[i] = (uint8_t)(value >> (8 * i));
}

static int same(const uint8_t *a, const uint8_t *b)
{
    int i = 0;
    while (i < 8 && a[i] == b[i])
        i++;
    return i == 8;
}

// ---- finding ----

// CRC-32 of what a record at `at` holds, on from `crc`; 0 when all of it could be read
static int body_crc(const td_storage_t *storage, uint32_t at, uint32_t from, uint32_t to, uint32_t *crc)
{
    uint8_t piece[TD_SAVE_CHUNK];
    for (; from < to; from += TD_SAVE_CHUNK) {
        uint32_t size = to - from < TD_SAVE_CHUNK ? to - from : TD_SAVE_CHUNK;
        if (storage->read(storage->context, at + GRAIN + from, piece, size) != 0)
            return TD_ESTORAGE;
        *crc = td_frame_crc32(*crc, piece, size);
    }
    return 0;
}

static int is_sealed(const uint8_t *header)
{
    int i = 0;
    while (i < HEADER && (header[i] ^ header[HEADER + i]) == 0xff)
        i++;
    return i == HEADER && get32(header) == MAGIC;
}

// Takes the record at `at` when there is a whole one that is newer. What cannot be read is none.
static TD_APART void look(td_save_t *save, uint32_t at)
{
    const td_storage_t *storage = save->storage;
    uint8_t h[GRAIN];
    uint32_t body, crc = 0;
    if (storage->read(storage->context, at, h, 4) != 0 || get32(h) != MAGIC)
        return;
    if (storage->read(storage->context, at, h, GRAIN) != 0 || !is_sealed(h) || get32(h + 8) <= save->sequence)
        return;
    body = get32(h + 16);
    if (body > storage->bytes - at - GRAIN || body_crc(storage, at, 0, body, &crc) != 0 || crc != get32(h + 20))
        return;
    save->at = at;
    save->size = GRAIN + round_up(body, GRAIN);
    save->version = h[4];
    save->flags = h[5];
    save->sequence = get32(h + 8);
    save->epoch = get32(h + 12);
    for (int i = 0; i < 8; i++)
        save->digest[i] = h[24 + i];
}

static int makes_sense(const td_storage_t *storage)
{
    uint32_t write = storage->write_bytes, erase = storage->erase_bytes;
    if (write == 0 || write > HEADER || (write & (write - 1)) != 0 || erase == 0 || erase % GRAIN != 0)
        return 0;
    return storage->bytes >= erase && storage->bytes % erase == 0;
}

int td_save_open(td_save_t *save, const td_storage_t *storage)
{
    *save = (td_save_t){0};
    if (storage == NULL)
        return TD_ENOSTORAGE;
    if (!makes_sense(storage))
        return TD_ESTORAGE;
    save->storage = storage;
    for (uint32_t at = 0; at < storage->bytes; at += GRAIN)
        look(save, at);
    return 0;
}

// ---- where the next record goes ----

uint32_t td_save_bytes(const td_plan_t *plan, int run)
{
    uint64_t bytes = GRAIN + 4 * (uint64_t)td_state_words(plan, run);
    return bytes > 0x7fffff00u ? 0x80000000u : round_up((uint32_t)bytes, GRAIN);
}

// Whole blocks, as few as hold a record; with a run, if two of those fit. 0: there is no room for two records.
static uint32_t area_bytes(const td_save_t *save, const td_plan_t *plan, int *run)
{
    const td_storage_t *storage = save->storage;
    for (*run = 1; *run >= 0; (*run)--) {
        uint32_t bytes = td_save_bytes(plan, *run);
        if (bytes <= storage->bytes / 2 && round_up(bytes, storage->erase_bytes) <= storage->bytes / 2)
            return round_up(bytes, storage->erase_bytes);
    }
    return 0;
}

static int is_erased(const td_storage_t *storage, uint32_t at, uint32_t size)
{
    uint8_t piece[GRAIN];
    for (; size > 0; at += GRAIN, size -= GRAIN) {
        if (storage->read(storage->context, at, piece, GRAIN) != 0)
            return 0;
        for (int i = 0; i < GRAIN; i++)
            if (piece[i] != 0xff)
                return 0;
    }
    return 1;
}

// Behind the newest record, if the rest of its area is erased and large enough; else the next area's start.
static int choose_place(td_save_t *save, uint32_t area, uint32_t size)
{
    const td_storage_t *storage = save->storage;
    uint32_t end = save->at + save->size, areas = storage->bytes / area, next = (end + area - 1) / area;
    save->to = end;
    save->erase_left = 0;
    if (end % area != 0 && end % area + size <= area && is_erased(storage, end, size))
        return 0;
    for (uint32_t i = 0; i < areas; i++, next++) {
        uint32_t at = next % areas * area;
        if (at + area <= save->at || at >= end) { // not where the newest one lies
            save->to = save->erase_at = at;
            save->erase_left = area / storage->erase_bytes;
            return 0;
        }
    }
    return TD_ENOROOM; // a larger record of another build lies across
}

static int is_ready(const td_save_t *save)
{
    if (save->storage == NULL)
        return TD_ENOSTORAGE;
    return save->phase == IDLE ? 0 : TD_EBUSY;
}

static int is_ours(const td_save_t *save, const td_plan_t *plan)
{
    return save->version == VERSION && same(save->digest, plan->digest);
}

int td_save_begin(td_save_t *save, const td_train_t *train)
{
    uint32_t area;
    int run, code = is_ready(save);
    if (code != 0)
        return code;
    if (save->size != 0 && !is_ours(save, train->plan))
        return TD_EOTHERPLAN;
    if ((area = area_bytes(save, train->plan, &run)) == 0)
        return TD_ENOROOM;
    run = run && train->running;
    if ((code = choose_place(save, area, td_save_bytes(train->plan, run))) != 0)
        return code;
    save->train = train;
    save->body = 4 * td_state_words(train->plan, run);
    save->next_flags = run ? RUN : 0;
    save->done = save->crc = 0;
    save->phase = ERASING;
    return 0;
}

int td_save_due(uint32_t every, const td_train_t *train, const td_metrics_t *metrics)
{
    if (every == 0)
        return 0;
    if (!train->running)
        return 1;
    return every == TD_SAVE_BEST ? metrics->best == metrics->epoch : metrics->epoch % every == 0;
}

int td_save_erase(td_save_t *save)
{
    const td_storage_t *storage = save->storage;
    int code = is_ready(save);
    if (code != 0)
        return code;
    save->erase_at = round_up(save->at + save->size, storage->erase_bytes) % storage->bytes;
    save->erase_left = storage->bytes / storage->erase_bytes;
    save->phase = FORGETTING;
    return 0;
}

// ---- piece by piece ----

static int erase_block(td_save_t *save)
{
    const td_storage_t *storage = save->storage;
    int code = storage->erase(storage->context, save->erase_at);
    save->erase_at = (save->erase_at + storage->erase_bytes) % storage->bytes;
    save->erase_left--;
    return code;
}

static int write_piece(td_save_t *save)
{
    const td_storage_t *storage = save->storage;
    uint8_t piece[TD_SAVE_CHUNK];
    uint32_t size = 0, at = save->done;
    for (; size < TD_SAVE_CHUNK && save->done < save->body; size += 4, save->done += 4)
        put32(piece + size, td_state_get(save->train, save->done / 4));
    save->crc = td_frame_crc32(save->crc, piece, size);
    for (; size % storage->write_bytes != 0; size++)
        piece[size] = 0xff;
    return storage->program(storage->context, save->to + GRAIN + at, piece, size);
}

// What was written is read again, before it is vouched for.
static int read_pieces(td_save_t *save)
{
    uint32_t from = save->done, left = save->body - from;
    save->done += left < PIECES * TD_SAVE_CHUNK ? left : PIECES * TD_SAVE_CHUNK;
    if (body_crc(save->storage, save->to, from, save->done, &save->crc_read) != 0)
        return TD_ESTORAGE;
    return save->done == save->body && save->crc_read != save->crc ? TD_ESTORAGE : 0;
}

static int write_header(const td_save_t *save, uint8_t flip, uint32_t at)
{
    const td_storage_t *storage = save->storage;
    uint8_t h[HEADER] = {0};
    put32(h, MAGIC);
    h[4] = VERSION;
    h[5] = save->next_flags;
    put32(h + 8, save->sequence + 1);
    put32(h + 12, save->train->epoch);
    put32(h + 16, save->body);
    put32(h + 20, save->crc);
    for (int i = 0; i < 8; i++)
        h[24 + i] = save->train->plan->digest[i];
    for (int i = 0; i < HEADER; i++)
        h[i] ^= flip;
    return storage->program(storage->context, save->to + at, h, HEADER);
}

static void finish(td_save_t *save)
{
    save->at = save->to;
    save->size = GRAIN + round_up(save->body, GRAIN);
    save->sequence++;
    save->epoch = save->train->epoch;
    save->version = VERSION;
    save->flags = save->next_flags;
    for (int i = 0; i < 8; i++)
        save->digest[i] = save->train->plan->digest[i];
}

// One piece; 1: this phase has more.
static int work(td_save_t *save)
{
    int code = 0;
    switch (save->phase) {
    case ERASING:
    case FORGETTING:
        code = save->erase_left > 0 ? erase_block(save) : 0;
        return code != 0 ? code : save->erase_left > 0;
    case WRITING:
        for (int i = 0; i < PIECES && code == 0 && save->done < save->body; i++)
            code = write_piece(save);
        break;
    case READING:
        code = read_pieces(save);
        break;
    case HEADING:
        return write_header(save, 0, 0);
    default:
        return write_header(save, 0xff, HEADER);
    }
    return code != 0 ? code : save->done < save->body;
}

int td_save_step(td_save_t *save)
{
    int code;
    if (save->phase == IDLE)
        return 0;
    code = work(save);
    if (code > 0)
        return 1;
    if (code < 0 || save->phase == SEALING || save->phase == FORGETTING) {
        if (code == 0 && save->phase == SEALING)
            finish(save);
        else if (code == 0)
            (void)td_save_open(save, save->storage); // nothing is left
        save->phase = IDLE;
        return code < 0 ? TD_ESTORAGE : 0;
    }
    save->phase++;
    save->done = save->crc_read = 0;
    return 1;
}

// ---- loading ----

// words [from, to) of the newest record into a training
static int load_words(const td_save_t *save, td_train_t *train, uint32_t from, uint32_t to)
{
    uint8_t word[4];
    for (; from < to; from++) {
        if (save->storage->read(save->storage->context, save->at + GRAIN + 4 * from, word, 4) != 0)
            return TD_ESTORAGE;
        td_state_set(train, from, get32(word));
    }
    return 0;
}

int td_save_load(td_save_t *save, td_train_t *train, int run)
{
    td_train_t loaded = *train; // a run's counters, until they are known to be good
    uint32_t numbers = td_state_numbers(train->plan), words;
    int code = is_ready(save);
    if (code == 0)
        code = td_save_open(save, save->storage);
    if (code != 0)
        return code;
    if (save->size == 0)
        return TD_ENOTHING;
    if (!is_ours(save, train->plan))
        return TD_EOTHERPLAN;
    words = td_state_words(train->plan, save->flags & RUN);
    if (save->size != GRAIN + round_up(4 * words, GRAIN))
        return TD_ESTORAGE;
    run = run && (save->flags & RUN);
    loaded.running = 0;
    if (run && ((code = load_words(save, &loaded, numbers, words)) != 0 || td_state_resume(&loaded) != 0))
        return TD_ESTORAGE;
    if (load_words(save, &loaded, 0, run ? numbers : train->plan->parameters) != 0)
        return TD_ESTORAGE;
    *train = loaded;
    return 0;
}
