// SPDX-License-Identifier: MIT
// threads.c - the parts of a job, shared out among threads.
#include <pthread.h>

#include "kernels.h"

enum { MOST_THREADS = 64 };

typedef struct {
    pthread_mutex_t lock;
    void (*part)(void *job, size_t index, size_t thread);
    void *job;
    size_t next, parts, threads;
} crew_t;

// A number that nobody else has taken.
static size_t take_number(crew_t *crew, size_t *next)
{
    pthread_mutex_lock(&crew->lock);
    size_t number = (*next)++;
    pthread_mutex_unlock(&crew->lock);
    return number;
}

static void *work(void *argument)
{
    crew_t *crew = argument;
    size_t thread = take_number(crew, &crew->threads), index;
    while ((index = take_number(crew, &crew->next)) < crew->parts)
        crew->part(crew->job, index, thread);
    return NULL;
}

void share_out(void (*part)(void *job, size_t index, size_t thread), void *job, size_t parts, size_t threads)
{
    crew_t crew = {.part = part, .job = job, .parts = parts};
    pthread_t others[MOST_THREADS];
    size_t hired = 0;
    threads = threads < parts ? threads : parts;
    pthread_mutex_init(&crew.lock, NULL);
    while (hired + 1 < threads && hired < MOST_THREADS && !pthread_create(&others[hired], NULL, work, &crew))
        hired++; // when no more can be had, those that there are do the work
    work(&crew);
    while (hired--)
        pthread_join(others[hired], NULL);
    pthread_mutex_destroy(&crew.lock);
}
