// SPDX-License-Identifier: MIT
// frame.c - fuzz target: the decoder. Whatever comes in, a good frame is what its bytes encode to, and the first zero
// byte brings the reader back into step: a frame that follows it is always read.
#include <stdlib.h>
#include <string.h>

#include "td_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is)
{
    if (!is)
        abort();
}

// The frame that was read, written again and read by another.
static void check(const td_frame_reader_t *got)
{
    static uint8_t out[TD_FRAME_MAX];
    static td_frame_reader_t again;
    td_frame_writer_t writer;
    int size, result = 0;
    td_frame_begin(&writer, out, sizeof out, got->data[0], got->data[1]);
    td_frame_put(&writer, got->data + 2, got->body_size);
    size = td_frame_end(&writer);
    must(size > 0 && out[0] == 0 && out[size - 1] == 0 && memchr(out + 1, 0, (size_t)size - 2) == NULL);
    td_frame_reset(&again);
    for (int i = 0; i < size; i++)
        result = td_frame_feed(&again, out[i]);
    must(result == 1 && again.body_size == got->body_size);
    must(memcmp(again.data, got->data, 2u + got->body_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static td_frame_reader_t reader;
    td_frame_writer_t writer;
    uint8_t good[16];
    int result = 0;
    td_frame_reset(&reader);
    for (size_t i = 0; i < size; i++)
        if (td_frame_feed(&reader, data[i]) == 1)
            check(&reader);
    td_frame_begin(&writer, good, sizeof good, 5, 7);
    int bytes = td_frame_end(&writer);
    for (int i = 0; i < bytes; i++)
        result = td_frame_feed(&reader, good[i]);
    must(result == 1 && reader.data[0] == 5 && reader.data[1] == 7 && reader.body_size == 0);
    return 0;
}
