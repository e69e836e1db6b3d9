// SPDX-License-Identifier: MIT
// frame.c - the decoder on foreign bytes; a frame that it takes must come out of the writer as it was taken.
#include <stdlib.h>
#include <string.h>

#include "td_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const td_frame_reader_t *taken)
{
    uint8_t frame[TD_FRAME_MAX];
    td_frame_writer_t writer;
    td_frame_reader_t reader;
    int size, good = 0;
    td_frame_begin(&writer, frame, sizeof frame, taken->data[0], taken->data[1]);
    td_frame_put(&writer, taken->data + 2, taken->body_size);
    size = td_frame_end(&writer);
    td_frame_reset(&reader);
    for (int i = 0; i < size; i++)
        good = td_frame_feed(&reader, frame[i]);
    if (size < 0 || good != 1 || reader.body_size != taken->body_size || memcmp(reader.data, taken->data, reader.body_size + 2u) != 0)
        abort();
}

// The first byte tells whether the rest is a line as it stands, or the body of a good frame that is damaged at a place.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t frame[TD_FRAME_MAX];
    td_frame_writer_t writer;
    td_frame_reader_t reader;
    int made = 0;
    td_frame_reset(&reader);
    if (size > 4 && data[0] & 1) {
        td_frame_begin(&writer, frame, sizeof frame, data[1], data[2]);
        td_frame_put(&writer, data + 4, size - 4 < TD_PAYLOAD_MAX ? size - 4 : TD_PAYLOAD_MAX);
        made = td_frame_end(&writer);
        if (made < 0)
            abort();
        frame[data[3] % made] ^= data[0] >> 1;
        data = frame, size = (size_t)made;
    }
    for (size_t i = 0; i < size; i++)
        if (td_frame_feed(&reader, data[i]) == 1)
            same_again(&reader);
    return 0;
}
