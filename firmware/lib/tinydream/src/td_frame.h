// SPDX-License-Identifier: MIT
// td_frame.h - frames on a serial line (SPEC.md, "Bridge"): 0x00, COBS of (type, sequence, body, CRC-32), 0x00.
//
// No buffer is larger than one frame, no byte is looked at twice. A zero byte always ends a frame, so the line is
// in step again at the next one, whatever was lost or invented before it.
#ifndef TD_FRAME_H
#define TD_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "td.h"

#ifdef __cplusplus
extern "C" {
#endif

// longest content (type, sequence, body, CRC) and longest frame with its COBS codes and both zeros
#define TD_FRAME_CONTENT_MAX (TD_PAYLOAD_MAX + 6)
#define TD_FRAME_MAX (TD_FRAME_CONTENT_MAX + TD_FRAME_CONTENT_MAX / 254 + 3)

// CRC-32 as in zlib; start with 0, go on with what was returned. 64 bytes of table.
uint32_t td_frame_crc32(uint32_t crc, const uint8_t *data, size_t size);

// ---- writing: begin, put..., end ----

typedef struct {
    uint8_t *data;          // the caller's
    uint16_t size, at;
    uint16_t code_at;       // where the code of the open COBS block stands
    uint32_t crc;
    uint8_t overflow;
} td_frame_writer_t;

// Starts a frame in the caller's buffer, which needs TD_FRAME_MAX bytes for the longest body.
void td_frame_begin(td_frame_writer_t *writer, uint8_t *data, uint16_t size, uint8_t type, uint8_t sequence);

// Adds `size` bytes, or the `bytes` low bytes of `value` (1..4), least significant first.
void td_frame_put(td_frame_writer_t *writer, const uint8_t *data, size_t size);
void td_frame_put_u(td_frame_writer_t *writer, uint32_t value, int bytes);

// Adds the CRC and the last zero. Returns the bytes of the frame, or TD_EFRAME when they did not fit.
TD_MUST_CHECK int td_frame_end(td_frame_writer_t *writer);

// ---- reading: one byte at a time ----

typedef struct {
    uint8_t data[TD_FRAME_CONTENT_MAX]; // type, sequence, body, CRC
    uint16_t size;
    uint16_t body_size;     // of the last good frame; its body is data + 2
    uint8_t code, left;     // COBS: code of the open block (0: none yet), bytes still to come in it
    uint8_t bad;
} td_frame_reader_t;

void td_frame_reset(td_frame_reader_t *reader);

// 0: go on. 1: a good frame ended; data and body_size hold until the next call. TD_EFRAME: what ended here was
// text, damaged or too long; nothing of it is left.
TD_MUST_CHECK int td_frame_feed(td_frame_reader_t *reader, uint8_t byte);

#ifdef __cplusplus
}
#endif
#endif
