// SPDX-License-Identifier: MIT
// SensorLoop.ino - trains while it samples: 50 times a second a sensor on A0 is read, the time between goes into
// training, and each window of samples is named by the weights as they are then. td_plan.c holds made-up rows of a
// sensor that stands still, swings slowly or fast; `tinydream generate` writes another one from a table of yours.
#include <td.h>

#include "td_plan.h"

static const uint32_t PERIOD_US = 20000;

static uint32_t arena[(TD_ARENA_BYTES + 3) / 4]; // words, for the alignment
static td_train_t train;
static float window[TD_RAW_COLUMNS];
static int samples;
static uint32_t due;

static void check(int code)
{
    if (code >= 0)
        return;
    Serial.println(td_error_text(code));
    for (;;)
        delay(1000);
}

void setup()
{
    Serial.begin(115200);
    td_knobs_t knobs = {};
    knobs.seed = 1;
    knobs.epochs = 20;
    knobs.rate = 0.05f;
    check(td_train_init(&train, &td_plan, arena, sizeof arena, 1));
    check(td_train_start(&train, &knobs));
    due = (uint32_t)micros();
}

// One batch: milliseconds at most, so no sample comes late by more than that.
static void learn()
{
    td_metrics_t metrics;
    int code = td_train_step(&train, &metrics);
    check(code);
    if (code == 1) { // the end of an epoch
        Serial.print("epoch ");
        Serial.print((int)metrics.epoch);
        Serial.print(": right, of ");
        Serial.print((int)metrics.rows);
        Serial.print(" rows: ");
        Serial.println((int)metrics.correct);
    }
}

static void sample()
{
    window[samples++] = (float)analogRead(A0);
    if (samples < TD_RAW_COLUMNS)
        return;
    samples = 0;
    int kind = td_predict(&train, window, NULL);
    check(kind);
    Serial.println(td_plan.class_names[kind]);
}

void loop()
{
    if (train.running)
        learn();
    if ((int32_t)((uint32_t)micros() - due) < 0)
        return;
    due += PERIOD_US;
    sample();
}
