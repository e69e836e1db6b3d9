// SPDX-License-Identifier: MIT
// td_save.h - weights, and a run under way, kept in flash (SPEC.md, "Saved weights").
//
//     td_save_t save;
//     int code = td_save_open(&save, td_port_storage());  // once, at boot: looks for the newest record
//     code = td_save_load(&save, &train, 1);              // all of it is verified before a weight changes
//     ...
//     code = td_save_begin(&save, &train);                // then, with the training standing still:
//     while (code >= 0 && (code = td_save_step(&save)) > 0)
//         ;
//
// A record is written beside the newest one and counts from its last write on: when power fails at any moment,
// within a word too, the old record or the new one is found again, whole. Places take turns, so that all of the
// storage wears alike. A record of another plan is neither loaded nor overwritten; td_save_erase is how to be rid of it.
#ifndef TD_SAVE_H
#define TD_SAVE_H

#include "td.h"
#include "td_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// bytes that a storage is given at once, at most
enum { TD_SAVE_CHUNK = 64 };

// Its fields are td's, but `digest`, `epoch`, `sequence` and `size` may be read; a caller only keeps the memory.
typedef struct {
    const td_storage_t *storage; // NULL: none
    uint32_t at, size;      // of the newest record; size 0: there is none
    uint32_t sequence;      // of the newest record: how often has been saved
    uint32_t epoch;         // epochs that its run had done
    uint8_t digest[8];      // its plan
    uint8_t version, flags;
    uint8_t phase, next_flags; // of what is under way; phase 0: nothing is
    const td_train_t *train; // that is being saved
    uint32_t to, body;      // where the new record goes, and bytes of what it holds
    uint32_t erase_at, erase_left; // the next block, and how many
    uint32_t done, crc, crc_read; // bytes of it written, or read again; CRC-32 of either
} td_save_t;

// Looks through the storage for the newest whole record, whoever's it is. TD_ENOSTORAGE for NULL, TD_ESTORAGE for one
// whose sizes make no sense; save is usable all the same, and answers TD_ENOSTORAGE. What cannot be read is no record.
// Cost: 64 bytes are read at each multiple of 64, and what records hold.
int td_save_open(td_save_t *save, const td_storage_t *storage);

// Bytes of a record: of the weights only, or with all that a run under way needs to go on at the exact step.
uint32_t td_save_bytes(const td_plan_t *plan, int run);

// Begins to save what `train` holds: its weights and, while a run is under way and the storage has room for two such
// records, the run. Until td_save_step has returned 0 or an error the training must stand still.
// TD_ENOSTORAGE; TD_EBUSY when something is under way; TD_EOTHERPLAN when the newest record is another plan's
// (`digest`), which stays; TD_ENOROOM when two records do not fit.
TD_MUST_CHECK int td_save_begin(td_save_t *save, const td_train_t *train);

// Whether it is time to save, after an epoch: every so many epochs and when the run has ended; TD_SAVE_BEST: when the
// validation loss has never been less, and at the end. 0: never.
#define TD_SAVE_BEST 0xffffffffu
int td_save_due(uint32_t every, const td_train_t *train, const td_metrics_t *metrics);

// Begins to forget all records, the newest last.
TD_MUST_CHECK int td_save_erase(td_save_t *save);

// Does a piece of what is under way: one block erased, or at most 256 bytes written or read. Returns 1 while there
// is more, 0 when it is done (or nothing was under way), TD_ESTORAGE when the storage failed: the old record stays.
TD_MUST_CHECK int td_save_step(td_save_t *save);

// Verifies the newest record and only then loads its weights; with `run` its run too, if it holds one, which then goes
// on as if nothing had happened. Else nothing is being trained afterwards. `train` has been initialised.
// TD_ENOSTORAGE, TD_EBUSY, TD_ENOTHING, TD_EOTHERPLAN, TD_ESTORAGE: nothing has changed.
// Cost: the record is read twice.
TD_MUST_CHECK int td_save_load(td_save_t *save, td_train_t *train, int run);

#ifdef __cplusplus
}
#endif
#endif
