// SPDX-License-Identifier: MIT
#include "td_frame.h"

enum { HEADER = 2, CRC = 4, BLOCK_FULL = 0xFF };

uint32_t td_frame_crc32(uint32_t crc, const uint8_t *data, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = table[crc & 15] ^ (crc >> 4);
        crc = table[crc & 15] ^ (crc >> 4);
    }
    return ~crc;
}

// ---- writing ----

static void emit(td_frame_writer_t *writer, uint8_t byte)
{
    if (writer->at >= writer->size) {
        writer->overflow = 1;
        return;
    }
    writer->data[writer->at++] = byte;
}

static void close_block(td_frame_writer_t *writer)
{
    if (writer->code_at < writer->size)
        writer->data[writer->code_at] = (uint8_t)(writer->at - writer->code_at);
}

static void open_block(td_frame_writer_t *writer)
{
    writer->code_at = writer->at;
    emit(writer, 0);
}

static void stuff(td_frame_writer_t *writer, uint8_t byte)
{
    // a full block is closed when the next byte comes, not before: content that ends with it needs no empty one
    if (writer->at - writer->code_at == BLOCK_FULL) {
        close_block(writer);
        open_block(writer);
    }
    if (byte != 0) {
        emit(writer, byte);
        return;
    }
    close_block(writer);
    open_block(writer);
}

void td_frame_put(td_frame_writer_t *writer, const uint8_t *data, size_t size)
{
    writer->crc = td_frame_crc32(writer->crc, data, size);
    for (size_t i = 0; i < size; i++)
        stuff(writer, data[i]);
}

void td_frame_put_u(td_frame_writer_t *writer, uint32_t value, int bytes)
{
    uint8_t data[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    td_frame_put(writer, data, (size_t)bytes);
}

void td_frame_begin(td_frame_writer_t *writer, uint8_t *data, uint16_t size, uint8_t type, uint8_t sequence)
{
    writer->data = data;
    writer->size = size;
    writer->at = 0;
    writer->crc = 0;
    writer->overflow = 0;
    emit(writer, 0);
    open_block(writer);
    td_frame_put_u(writer, type, 1);
    td_frame_put_u(writer, sequence, 1);
}

int td_frame_end(td_frame_writer_t *writer)
{
    td_frame_put_u(writer, writer->crc, CRC);
    close_block(writer);
    emit(writer, 0);
    return writer->overflow ? TD_EFRAME : writer->at;
}

// ---- reading ----

void td_frame_reset(td_frame_reader_t *reader)
{
    reader->size = 0;
    reader->code = 0;
    reader->left = 0;
    reader->bad = 0;
}

static void keep(td_frame_reader_t *reader, uint8_t byte)
{
    if (reader->size == TD_FRAME_CONTENT_MAX)
        reader->bad = 1;
    else
        reader->data[reader->size++] = byte;
}

static void next_block(td_frame_reader_t *reader, uint8_t code)
{
    // every block but a full one stands for its bytes and a zero; the last zero is not content
    if (reader->code != 0 && reader->code != BLOCK_FULL)
        keep(reader, 0);
    reader->code = code;
    reader->left = (uint8_t)(code - 1);
}

static int is_good(const td_frame_reader_t *reader)
{
    if (reader->bad || reader->left != 0 || reader->size < HEADER + CRC)
        return 0;
    const uint8_t *end = reader->data + reader->size - CRC;
    uint32_t crc = td_frame_crc32(0, reader->data, (size_t)reader->size - CRC);
    return end[0] == (uint8_t)crc && end[1] == (uint8_t)(crc >> 8) && end[2] == (uint8_t)(crc >> 16) &&
           end[3] == (uint8_t)(crc >> 24);
}

int td_frame_feed(td_frame_reader_t *reader, uint8_t byte)
{
    if (byte != 0) {
        if (reader->left == 0) {
            next_block(reader, byte);
        } else {
            keep(reader, byte);
            reader->left--;
        }
        return 0;
    }
    if (reader->code == 0) // nothing between two zeros
        return 0;
    int result = is_good(reader) ? 1 : TD_EFRAME;
    reader->body_size = (uint16_t)(result == 1 ? reader->size - HEADER - CRC : 0);
    td_frame_reset(reader);
    return result;
}
