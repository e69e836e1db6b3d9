// SPDX-License-Identifier: MIT
// td_node_keep.c - what a node keeps over a power cut: loaded at boot, saved when asked and every so many epochs.
#include "td_node_wire.h"

#if TD_WITH_SAVE
// The host is told whose weights are in the way; the line is free at boot.
static void name_other(td_node_t *node)
{
    static const char digits[] = "0123456789abcdef";
    char text[] = "the weights of plan 0000000000000000 are kept and not loaded";
    for (int i = 0; i < 16; i++)
        text[20 + i] = digits[node->save.digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    (void)td_node_log(node, text);
}

int td_node_keep(td_node_t *node, const td_storage_t *storage, int boot)
{
    int result = td_save_open(&node->save, storage);
    if (result == 0 && node->save.size == 0)
        result = TD_ENOTHING;
    if (result == 0 && node->refused == 0 && boot != TD_BOOT_IDLE)
        result = td_save_load(&node->save, &node->train, boot == TD_BOOT_TRAIN);
    if (result == TD_EOTHERPLAN)
        name_other(node);
    node->kept = (int16_t)result;
    return result;
}

int td_node_keeps(const td_node_t *node)
{
    return node->save.phase != 0 || node->asked;
}

int td_node_keep_ask(td_node_t *node, int what, int run)
{
    int result;
    if (what == TD_KEEP_LOAD) {
        result = td_save_load(&node->save, &node->train, run);
        if (result == 0)
            node->paused = node->dirty = 0;
        node->steps = 0;
        node->row.taken = 0;
        return result;
    }
    result = what == TD_KEEP_SAVE ? td_save_begin(&node->save, &node->train) : td_save_erase(&node->save);
    node->asked = result == 0;
    return result;
}

void td_node_keep_epoch(td_node_t *node, const td_metrics_t *metrics)
{
    if (td_save_due(node->save_every, &node->train, metrics))
        node->kept = (int16_t)td_save_begin(&node->save, &node->train);
}

void td_node_keep_some(td_node_t *node, int line_is_free)
{
    if (node->save.phase != 0) {
        int result = td_save_step(&node->save);
        node->kept = (int16_t)(result < 0 ? result : 0);
        if (node->asked)
            node->result = node->kept;
    }
    if (node->save.phase != 0 || !node->asked || !line_is_free)
        return;
    node->asked = 0;
    if (node->result < 0)
        td_node_refuse(node, node->acted_type, node->acted, node->result);
    else
        td_node_answer(node, node->acted_type, node->acted, NULL); // it says only that it is done
}

int td_node_keep_knob(td_node_t *node, uint32_t every)
{
    node->save_every = every;
    return every != 0 && node->save.storage == NULL ? TD_ENOSTORAGE : 0;
}

void td_node_keep_info(const td_node_t *node, td_frame_writer_t *writer)
{
    const td_save_t *save = &node->save;
    int code = save->size == 0 && node->kept == 0 ? TD_ENOTHING : node->kept;
    td_frame_put_u(writer, (uint16_t)code, 2);
    td_frame_put_u(writer, save->flags, 1);
    td_frame_put_u(writer, save->sequence, 4);
    td_frame_put_u(writer, save->epoch, 4);
    td_frame_put(writer, save->digest, sizeof save->digest);
}
#endif
