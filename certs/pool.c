#include "certs/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

typedef struct Ready {
        Key **keys; /* taken from the front */
        size_t first, count, allocated;
} Ready;

struct KeyPool {
        pthread_mutex_t mutex;
        pthread_cond_t work;         /* something is wanted, or the end has come */
        pthread_cond_t ready;        /* a key is there, or making one failed */
        size_t wanted[_KEY_KINDS];   /* to be begun */
        size_t underway[_KEY_KINDS]; /* being made */
        size_t owed[_KEY_KINDS];     /* requested, and nobody has come for them yet */
        size_t waiting[_KEY_KINDS];  /* who have come, and wait */
        Ready made[_KEY_KINDS];
        pthread_t threads[KEY_POOL_THREADS_MAX];
        unsigned n_threads, max_threads;
        atomic_bool ending;
        int failure; /* a negative errno; 0: none */
        Error error;
};

static unsigned count_cores(void)
{
        cpu_set_t cores;

        if (sched_getaffinity(0, sizeof(cores), &cores) < 0)
                return 1;
        return (unsigned)CPU_COUNT(&cores);
}

static int ready_push(Ready *ready, Key *key)
{
        if (ready->first + ready->count == ready->allocated) {
                size_t allocated = ready->allocated ? 2 * ready->allocated : 16;
                Key **keys = (Key **)reallocarray((void *)ready->keys, allocated, sizeof(*keys));

                if (!keys)
                        return -ENOMEM;
                ready->keys = keys;
                ready->allocated = allocated;
        }
        ready->keys[ready->first + ready->count++] = key;
        return 0;
}

static Key *ready_pop(Ready *ready)
{
        ready->count--;
        return ready->keys[ready->first++];
}

/* An elliptic curve's key takes less time than a thread to wake up: who takes it makes it. */
static bool is_quick(KeyKind kind)
{
        return kind == KEY_ECDSA_P256;
}

static int next_kind(const KeyPool *pool)
{
        for (int kind = 0; kind < _KEY_KINDS; kind++)
                if (pool->wanted[kind] > 0)
                        return kind;
        return -1;
}

/* With the mutex held; gives it up while the key is made. */
static void make_one(KeyPool *pool, KeyKind kind)
{
        Error error = ERROR_INIT;
        Key *key = NULL;
        int r;

        pool->wanted[kind]--;
        pool->underway[kind]++;
        pthread_mutex_unlock(&pool->mutex);
        r = key_make(kind, &pool->ending, &key, &error);
        pthread_mutex_lock(&pool->mutex);
        pool->underway[kind]--;

        if (r == 0)
                r = ready_push(&pool->made[kind], key);
        if (r < 0) {
                (void)key_free(key);
                if (pool->failure == 0) {
                        pool->failure = r;
                        pool->error = error;
                }
        }
        pthread_cond_broadcast(&pool->ready);
}

static void *work(void *userdata)
{
        KeyPool *pool = userdata;

        pthread_mutex_lock(&pool->mutex);
        while (!atomic_load(&pool->ending)) {
                int kind = next_kind(pool);

                if (kind >= 0)
                        make_one(pool, (KeyKind)kind);
                else
                        pthread_cond_wait(&pool->work, &pool->mutex);
        }
        pthread_mutex_unlock(&pool->mutex);
        return NULL;
}

int key_pool_new(unsigned threads, KeyPool **ret, Error *ret_error)
{
        pthread_condattr_t attributes;
        KeyPool *pool = calloc(1, sizeof(*pool));

        if (!pool)
                return error_set(ret_error, -ENOMEM, "cannot start the key pool: %m");

        pool->max_threads = threads > 0 ? threads : count_cores();
        if (pool->max_threads > KEY_POOL_THREADS_MAX)
                pool->max_threads = KEY_POOL_THREADS_MAX;
        (void)pthread_mutex_init(&pool->mutex, NULL);
        (void)pthread_cond_init(&pool->work, NULL);
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&pool->ready, &attributes);
        (void)pthread_condattr_destroy(&attributes);
        *ret = pool;
        return 0;
}

void key_pool_cancel(KeyPool *pool)
{
        pthread_mutex_lock(&pool->mutex);
        atomic_store(&pool->ending, true);
        if (pool->failure == 0)
                pool->failure = error_set(
                        &pool->error, -ECANCELED, "cannot make a key: it is wanted no longer");
        pthread_cond_broadcast(&pool->work);
        pthread_cond_broadcast(&pool->ready);
        pthread_mutex_unlock(&pool->mutex);
}

KeyPool *key_pool_free(KeyPool *pool)
{
        if (!pool)
                return NULL;

        key_pool_cancel(pool);
        for (unsigned i = 0; i < pool->n_threads; i++)
                (void)pthread_join(pool->threads[i], NULL);

        for (size_t kind = 0; kind < _KEY_KINDS; kind++) {
                while (pool->made[kind].count > 0)
                        (void)key_free(ready_pop(&pool->made[kind]));
                free((void *)pool->made[kind].keys);
        }
        (void)pthread_cond_destroy(&pool->work);
        (void)pthread_cond_destroy(&pool->ready);
        (void)pthread_mutex_destroy(&pool->mutex);
        free(pool);
        return NULL;
}

/* As many threads as there is work for, up to the bound. With the mutex held. One is enough to go
 * on with. */
static int start_threads(KeyPool *pool, size_t work_items, Error *ret_error)
{
        while (pool->n_threads < pool->max_threads && pool->n_threads < work_items) {
                int r = pthread_create(&pool->threads[pool->n_threads], NULL, work, pool);

                if (r != 0 && pool->n_threads == 0)
                        return error_set(ret_error, -r, "cannot start the key pool: %m");
                if (r != 0)
                        break;
                pool->n_threads++;
        }
        return 0;
}

static size_t count_work(const KeyPool *pool)
{
        size_t count = 0;

        for (size_t kind = 0; kind < _KEY_KINDS; kind++)
                count += pool->wanted[kind] + pool->underway[kind];
        return count;
}

/* With the mutex held: what is owed beyond what is there or on its way is begun. */
static int begin_missing(KeyPool *pool, KeyKind kind, Error *ret_error)
{
        size_t promised = pool->made[kind].count + pool->underway[kind] + pool->wanted[kind];
        size_t needed = pool->owed[kind] + pool->waiting[kind];
        int r;

        if (needed <= promised)
                return 0;
        pool->wanted[kind] += needed - promised;
        r = start_threads(pool, count_work(pool), ret_error);
        pthread_cond_broadcast(&pool->work);
        return r;
}

int key_pool_request(KeyPool *pool, KeyKind kind, size_t count, Error *ret_error)
{
        int r;

        if (is_quick(kind))
                return 0;

        pthread_mutex_lock(&pool->mutex);
        pool->owed[kind] += count;
        r = begin_missing(pool, kind, ret_error);
        pthread_mutex_unlock(&pool->mutex);
        return r;
}

int key_pool_add(KeyPool *pool, KeyKind kind, Key *take_key)
{
        int r;

        pthread_mutex_lock(&pool->mutex);
        r = ready_push(&pool->made[kind], take_key);
        pthread_mutex_unlock(&pool->mutex);
        if (r < 0)
                (void)key_free(take_key);
        return r;
}

/* Waits for a change, at most to the deadline. With the mutex held. */
static void wait_ready(KeyPool *pool, Usec deadline)
{
        Usec left = usec_min(clock_left(&clock_system, deadline), USEC_PER_DAY);
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        left += (Usec)until.tv_nsec / 1000;
        until.tv_sec += (time_t)(left / USEC_PER_SEC);
        until.tv_nsec = (long)(left % USEC_PER_SEC * 1000);
        (void)pthread_cond_timedwait(&pool->ready, &pool->mutex, &until);
}

/* One that was put in; NULL: none is. */
static Key *take_given(KeyPool *pool, KeyKind kind)
{
        Key *key = NULL;

        pthread_mutex_lock(&pool->mutex);
        if (pool->made[kind].count > 0)
                key = ready_pop(&pool->made[kind]);
        pthread_mutex_unlock(&pool->mutex);
        return key;
}

static int take_made(KeyPool *pool, KeyKind kind, Usec deadline, Key **ret, Error *ret_error)
{
        Ready *made = &pool->made[kind];
        int r;

        pthread_mutex_lock(&pool->mutex);
        if (pool->owed[kind] > 0)
                pool->owed[kind]--;
        pool->waiting[kind]++;
        r = begin_missing(pool, kind, ret_error);
        while (r == 0 && made->count == 0 && pool->failure == 0 &&
                !clock_passed(&clock_system, deadline))
                wait_ready(pool, deadline);
        pool->waiting[kind]--;

        if (r == 0 && made->count > 0)
                *ret = ready_pop(made);
        else if (r == 0 && pool->failure < 0) {
                r = pool->failure;
                if (ret_error)
                        *ret_error = pool->error;
        } else if (r == 0)
                r = error_set(ret_error,
                        -ETIMEDOUT,
                        "cannot make an %s key: it was not done in time",
                        key_kind_names[kind]);
        pthread_mutex_unlock(&pool->mutex);
        return r;
}

int key_pool_take(KeyPool *pool, KeyKind kind, Usec deadline, Key **ret, Error *ret_error)
{
        if (is_quick(kind)) {
                *ret = take_given(pool, kind);
                return *ret ? 0 : key_make(kind, &pool->ending, ret, ret_error);
        }
        return take_made(pool, kind, deadline, ret, ret_error);
}
