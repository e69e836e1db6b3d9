// SPDX-License-Identifier: MIT
// count.c - a plugin for QEMU 7.2 (plugin API 1): how often each block of instructions ran, exactly.
//
//   -plugin count.so,mark=ADDRESS,apart=ADDRESS,apart=ADDRESS... -d plugin -D counts.txt
//
// Each time the one instruction at `mark` runs, a region ends and its blocks are written, one a line:
//   region group first-address instructions times taken
// Group 1 is what the functions at `apart` did, and all they called; group 0 is the rest. `taken` says how
// often the block's end was followed by something else than the next address. The last line is "end".
// Debian ships no qemu-plugin.h: what is needed of it stands below.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
typedef struct qemu_plugin_tb block_t;
typedef struct qemu_plugin_insn insn_t;
typedef void on_block(plugin_id id, block_t *block);
typedef void on_run(unsigned cpu, void *data);
typedef void on_end(plugin_id id, void *data);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, on_block *call);
extern void qemu_plugin_register_vcpu_tb_exec_cb(block_t *block, on_run *call, int flags, void *data);
extern void qemu_plugin_register_atexit_cb(plugin_id id, on_end *call, void *data);
extern size_t qemu_plugin_tb_n_insns(const block_t *block);
extern insn_t *qemu_plugin_tb_get_insn(const block_t *block, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const insn_t *insn);
extern size_t qemu_plugin_insn_size(const insn_t *insn);
extern const void *qemu_plugin_insn_data(const insn_t *insn);
extern void qemu_plugin_outs(const char *text);

#define PUBLIC __attribute__((visibility("default")))
PUBLIC int qemu_plugin_version = 1;

enum { APART = 32, DEPTH = 256, GROUPS = 2 };

typedef struct piece {
    struct piece *next;
    uint64_t first, end; // addresses; end is behind the last instruction
    size_t count;
    int calls; // the last instruction leaves a return address
    uint64_t times[GROUPS], taken[GROUPS];
} piece_t;

static piece_t *all, *last;
static uint64_t mark, apart[APART], back[DEPTH]; // back: addresses that calls will return to
static int aparts, depth, inside = -1, region; // inside: depth of the call that group 1 began with

static void write_region(void)
{
    char line[128];
    for (piece_t *p = all; p; p = p->next)
        for (int g = 0; g < GROUPS; g++) {
            snprintf(line, sizeof line, "%d %d %" PRIx64 " %zu %" PRIu64 " %" PRIu64 "\n", region, g,
                     p->first, p->count, p->times[g], p->taken[g]);
            if (p->times[g])
                qemu_plugin_outs(line);
            p->times[g] = p->taken[g] = 0;
        }
    region++;
}

// The core has no recursion, so a block that begins where a call returns to is that call's return. A
// function that is jumped to, not called, returns for its caller: nothing is pushed, all stays right.
static void run(unsigned cpu, void *data)
{
    piece_t *p = data;
    (void)cpu;
    if (last && last->end != p->first)
        last->taken[inside >= 0]++;
    if (last && last->calls && last->end != p->first && depth < DEPTH)
        back[depth++] = last->end;
    else
        while (depth > 0 && back[depth - 1] == p->first)
            depth--;
    if (inside > depth)
        inside = -1;
    for (int i = 0; inside < 0 && i < aparts; i++)
        if (apart[i] == p->first)
            inside = depth;
    if (p->first == mark)
        write_region();
    p->times[inside >= 0]++;
    last = p;
}

// Thumb: BL is 11110xxx xxxxxxxx 11x1xxxx xxxxxxxx, BLX Rm 01000111 1xxxx000
static int is_call(const insn_t *insn)
{
    const uint8_t *code = qemu_plugin_insn_data(insn);
    if (qemu_plugin_insn_size(insn) == 2)
        return code[1] == 0x47 && (code[0] & 0x87) == 0x80;
    return (code[1] & 0xf8) == 0xf0 && (code[3] & 0xd0) == 0xd0;
}

static void translate(plugin_id id, block_t *block)
{
    size_t count = qemu_plugin_tb_n_insns(block);
    insn_t *end = qemu_plugin_tb_get_insn(block, count - 1);
    uint64_t first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, 0));
    piece_t *p = all;
    (void)id;
    while (p && (p->first != first || p->count != count)) // translated before?
        p = p->next;
    if (!p) {
        p = calloc(1, sizeof *p);
        p->next = all;
        all = p;
    }
    p->first = first;
    p->end = qemu_plugin_insn_vaddr(end) + qemu_plugin_insn_size(end);
    p->count = count;
    p->calls = is_call(end);
    qemu_plugin_register_vcpu_tb_exec_cb(block, run, 0, p);
}

static void finish(plugin_id id, void *data)
{
    (void)id;
    (void)data;
    write_region();
    qemu_plugin_outs("end\n");
}

PUBLIC int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "mark=", 5) == 0)
            mark = strtoull(argv[i] + 5, NULL, 0);
        else if (strncmp(argv[i], "apart=", 6) == 0 && aparts < APART)
            apart[aparts++] = strtoull(argv[i] + 6, NULL, 0);
        else
            return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}
