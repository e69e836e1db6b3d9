// SPDX-License-Identifier: MIT
// frame_test.c - td_frame over stdin and stdout, to be compared with tinydream/bridge/frame.py.
//   decode         raw bytes in; a line of hex per good frame ("type sequence body"), "-" for anything else
//   encode         lines of hex (type, sequence, body) in; a line of hex per frame out, "-" when it does not fit
//   crc            raw bytes in; CRC-32 out
#include <stdio.h>
#include <string.h>

#include "td_frame.h"

static void print_hex(const uint8_t *data, int size)
{
    for (int i = 0; i < size; i++)
        printf("%02x", data[i]);
    printf("\n");
}

static void decode(void)
{
    td_frame_reader_t reader;
    td_frame_reset(&reader);
    for (int byte = getchar(); byte != EOF; byte = getchar()) {
        int result = td_frame_feed(&reader, (uint8_t)byte);
        if (result == 1)
            print_hex(reader.data, reader.body_size + 2);
        else if (result < 0)
            printf("-\n");
    }
}

static void encode(void)
{
    char line[8192];
    uint8_t content[4096], frame[TD_FRAME_MAX];
    while (fgets(line, sizeof line, stdin)) {
        size_t size = strspn(line, "0123456789abcdef") / 2;
        for (size_t i = 0; i < size; i++) {
            unsigned byte;
            sscanf(line + 2 * i, "%2x", &byte);
            content[i] = (uint8_t)byte;
        }
        td_frame_writer_t writer;
        td_frame_begin(&writer, frame, sizeof frame, content[0], content[1]);
        td_frame_put(&writer, content + 2, size - 2);
        int length = td_frame_end(&writer);
        if (length > 0)
            print_hex(frame, length);
        else
            printf("-\n");
    }
}

static void crc(void)
{
    uint32_t crc32 = 0;
    for (int c = getchar(); c != EOF; c = getchar()) {
        uint8_t byte = (uint8_t)c;
        crc32 = td_frame_crc32(crc32, &byte, 1);
    }
    printf("%lu\n", (unsigned long)crc32);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (!strcmp(verb, "decode"))
        decode();
    else if (!strcmp(verb, "encode"))
        encode();
    else if (!strcmp(verb, "crc"))
        crc();
    else
        return 2;
    return 0;
}
