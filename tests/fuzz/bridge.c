// SPDX-License-Identifier: MIT
// bridge.c - whatever comes in on the line: a node with the real core and a small plan.
// An input is a list of pieces: u8 how, then a raw piece (u8 length, bytes) or a request in a good frame (u8 type, u8
// length, body), or a byte of its flash that is spoilt (u8, u8). After each the node polls a while. What it says must be
// good frames, its weights must stay finite.
#include <stdlib.h>
#include <string.h>

#include "td_node.h"
#include "td_port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// ---- a plan: 3 inputs, 4 ReLUs, 3 classes, 4 representatives of 4 bits, 2 validation rows ----

static const float shift[] = {0.5f};
static const int8_t gain[] = {-1}, low[] = {-8};
static const uint8_t width[] = {0x03}, step[] = {200}, sigma[] = {160, 160, 160};
static const uint8_t built[] = {0x21, 0x43, 0x15, 0x57, 0x02, 0x99, 0x10};
static uint8_t bits[sizeof built]; // a host may push others
static const uint8_t valid[] = {0x31, 0x02, 0x54, 0x06};
static const td_level_t levels[] = {{3, 1}, {1, 3}};
static const td_layer_t layers[] = {{TD_DENSE, TD_TRAIN_ALL, 3, 4, 0, 3, 0.5f},
                                    {TD_RELU, 0, 4, 4, 0, 0},
                                    {TD_DENSE, TD_TRAIN_ALL, 4, 3, 0, 7, 0.5f},
                                    {TD_SOFTMAX, 0, 3, 3, 0, 0}};
static td_plan_t plan = {
    .format = TD_FORMAT,
    .inputs = {.raw_columns = 3, .columns = 3, .outputs = 3, .shift = shift, .gain = gain},
    .rows = {.count = 4, .rows = 6, .row_bits = 14, .columns = 3, .label_bits = 2, .levels_count = 2, .width = width, .low = low, .step = step, .sigma = sigma, .levels = levels, .bits = bits},
    .layers = layers,
    .layers_count = 4,
    .loss = TD_CROSS_ENTROPY,
    .optimizer = TD_ADAM,
    .batch = 3,
    .slice = 2,
    .beta1 = 0.9f,
    .beta2 = 0.999f,
    .epsilon = 1e-7f,
    .parameters = 31,
    .valid = valid,
    .valid_count = 2,
    .refill = 1,
    .board = "fuzz"};

// ---- a line in memory ----

static uint8_t line[4096];
static size_t line_size, line_at;
static uint32_t turns;
static td_frame_reader_t heard;

static void must(int is)
{
    if (!is)
        abort();
}

void td_port_init(void)
{
}

int td_port_read(uint8_t *data, int size)
{
    if (size < 1 || line_at == line_size)
        return 0;
    *data = line[line_at++];
    return 1;
}

int td_port_room(void)
{
    return 64;
}

int td_port_write(const uint8_t *data, int size)
{
    int taken = (int)(turns++ % 5 == 0 ? 0 : turns % 3 == 0 && size > 7 ? 7 : size);
    for (int i = 0; i < taken; i++)
        must(td_frame_feed(&heard, data[i]) >= 0);
    return taken;
}

uint64_t td_port_ticks(void)
{
    return turns++;
}

const char *td_port_tick_unit(void)
{
    return "turns";
}

void td_port_idle(int running)
{
    (void)running;
}

uint32_t td_port_stack(void)
{
    return 0;
}

void td_port_reset(void)
{
    abort(); // the fuzzer's loop starts the node anew before it comes to this
}

// ---- a flash in memory ----

static uint8_t flash[2048];

static int flash_read(void *context, uint32_t at, uint8_t *data, uint32_t size)
{
    (void)context;
    must(at <= sizeof flash && size <= sizeof flash - at);
    memcpy(data, flash + at, size);
    return 0;
}

static int flash_program(void *context, uint32_t at, const uint8_t *data, uint32_t size)
{
    (void)context;
    must(at <= sizeof flash && size <= sizeof flash - at && at % 4 == 0 && size % 4 == 0);
    for (uint32_t i = 0; i < size; i++)
        flash[at + i] &= data[i];
    return 0;
}

static int flash_erase(void *context, uint32_t at)
{
    (void)context;
    must(at < sizeof flash && at % 256 == 0);
    memset(flash + at, 0xff, 256);
    return 0;
}

static const td_storage_t storage = {sizeof flash, 256, 4, NULL, flash_read, flash_program, flash_erase};

// ---- one input ----

static void start(td_node_t *node)
{
    static uint32_t arena[512];
    td_frame_reset(&heard);
    memcpy(bits, built, sizeof bits); // as start-up code does
    memset(plan.digest, 0, sizeof plan.digest);
    must(td_node_init(node, &plan, arena, sizeof arena) == 0);
    (void)td_node_keep(node, &storage, TD_BOOT_TRAIN); // whatever it finds there
}

static size_t frame(const uint8_t *data, size_t size, uint8_t sequence)
{
    td_frame_writer_t writer;
    size_t length = data[1] <= size - 2 ? data[1] : size - 2;
    td_frame_begin(&writer, line, sizeof line, data[0], sequence);
    td_frame_put(&writer, data + 2, length);
    int whole = td_frame_end(&writer);
    line_size = whole > 0 ? (size_t)whole : 0;
    return 2 + length;
}

static size_t raw(const uint8_t *data, size_t size)
{
    size_t length = data[0] <= size - 1 ? data[0] : size - 1;
    for (line_size = 0; line_size < length; line_size++)
        line[line_size] = data[1 + line_size];
    return 1 + length;
}

static void look(const td_node_t *node)
{
    for (uint32_t i = 0; i < plan.parameters; i++)
        must(node->train.weights[i] - node->train.weights[i] == 0.0f);
}

static size_t spoil(const uint8_t *data)
{
    flash[(data[0] << 8 | data[1]) % sizeof flash] ^= (uint8_t)(data[1] | 1);
    line_size = 0;
    return 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static td_node_t node;
    uint8_t sequence = 0;
    turns = 0;
    memset(flash, 0xff, sizeof flash);
    start(&node);
    while (size > 2) {
        uint8_t how = *data++;
        size_t used;
        size--;
        sequence = (uint8_t)(sequence + how % 3); // mostly the next one; again, or one lost
        used = how >= 0xF0 ? spoil(data) : how >= 0xC0 ? raw(data, size) : frame(data, size, sequence);
        data += used;
        size -= used;
        line_at = 0;
        for (int i = 0; i < 9 && td_node_poll(&node) && !node.restart; i++)
            ;
        if (node.restart)
            start(&node);
        look(&node);
    }
    return 0;
}
