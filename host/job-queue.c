#include "host/job-queue.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct JobQueue {
        char *units[JOB_QUEUE_MAX];
        bool visited[JOB_QUEUE_MAX];
        size_t count;
};

/* A question in its course. */
typedef struct Search {
        JobQueue *queue;
        const char *whom;
        JobQueueAfter after;
        void *userdata;
        char *chain;
        bool found;
} Search;

int job_queue_new(JobQueue **ret)
{
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

JobQueue *job_queue_free(JobQueue *queue)
{
        for (size_t i = 0; queue && i < queue->count; i++)
                free(queue->units[i]);
        free(queue);
        return NULL;
}

int job_queue_add(JobQueue *queue, const char *unit)
{
        if (queue->count >= JOB_QUEUE_MAX)
                return 0;
        queue->units[queue->count] = text_copy(unit);
        return queue->units[queue->count++] ? 0 : -ENOMEM;
}

static bool *find(JobQueue *queue, const char *unit)
{
        for (size_t i = 0; i < queue->count; i++)
                if (text_equal(queue->units[i], unit))
                        return &queue->visited[i];
        return NULL;
}

static void look(Search *search, const char *unit);

static bool visit(const char *unit, void *userdata)
{
        Search *search = userdata;
        bool *visited = find(search->queue, unit);

        if (visited && !*visited) {
                *visited = true;
                look(search, unit);
        }
        return !search->found;
}

/* The chain grows on the way in, and shrinks on the way back. */
static void look(Search *search, const char *unit)
{
        size_t length = strlen(search->chain);

        (void)snprintf(search->chain + length,
                JOB_QUEUE_CHAIN_MAX - length,
                "%s%s",
                length > 0 ? " -> " : "",
                unit);
        search->found = text_equal(unit, search->whom);
        if (!search->found)
                search->after(unit, visit, search, search->userdata);
        if (!search->found)
                search->chain[length] = '\0';
}

bool job_queue_waits(JobQueue *queue,
        const char *unit,
        const char *whom,
        JobQueueAfter after,
        void *userdata,
        char chain[JOB_QUEUE_CHAIN_MAX])
{
        Search search = {queue, whom, after, userdata, chain, false};

        chain[0] = '\0';
        if (find(queue, whom))
                look(&search, unit);
        return search.found;
}
