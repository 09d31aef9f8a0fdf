/* A whole cluster polls one store, in virtual time, by the policy that the store polls by: how many
 * requests that makes each second, and whether they come in step. */

#include "s3/store.h"
#include "tests/unit/test.h"
#include "tests/unit/virtual-clock.h"

#include <stdlib.h>

#define S3_BEARS    5500U /* GET requests a second, of one prefix (Amazon S3 User Guide) */
#define SECONDS     120U
#define SLOTS       10U /* in each second */
#define SLOT        (USEC_PER_SEC / SLOTS)
#define SLOTS_MAX   (SECONDS * SLOTS)
#define NODES_MAX   10000U
#define SETTLED     20U /* seconds until what was in step at first no longer is */
#define SEEN_WITHIN (1200 * USEC_PER_MSEC)

typedef struct Load {
        unsigned slots[SLOTS_MAX];
        Usec seen[NODES_MAX]; /* by each, behind the appearance */
} Load;

/* All machines begin in the same instant, which is the worst that can be. */
static void simulate(unsigned nodes, Usec appears, Load *ret)
{
        RetryPolicy policy = s3_store_poll_policy(nodes);
        uint64_t state = 7;
        Random random = {counting_next, &state};

        *ret = (Load){};
        for (unsigned node = 0; node < nodes; node++) {
                VirtualClock clock;
                Usec began, passed;
                Retry retry;

                virtual_clock_init(&clock);
                began = clock.now;
                retry = RETRY_INIT(&policy, &clock.clock, &random, began + SECONDS * USEC_PER_SEC);
                clock_sleep_until(&clock.clock, began + s3_store_first_poll(nodes, &random));
                do {
                        passed = clock.now - began;
                        ret->slots[passed / SLOT]++;
                        if (passed >= appears && ret->seen[node] == 0)
                                ret->seen[node] = passed - appears + 1;
                } while (retry_wait(&retry, RETRY_NOT_YET, 0) == RETRY_AGAIN);
        }
}

static unsigned count_second(const Load *load, unsigned first_slot)
{
        unsigned count = 0;

        for (unsigned i = 0; i < SLOTS; i++)
                count += load->slots[first_slot + i];
        return count;
}

static void the_store_bears_every_cluster(void **state)
{
        static const unsigned sizes[] = {1, 10, 100, 500, 1000, 1001, 2000, 5000, 10000};
        Load *load = malloc(sizeof(*load));

        (void)state;
        assert_non_null(load);
        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                unsigned most = 0;

                simulate(sizes[i], 0, load);
                for (unsigned slot = 0; slot + SLOTS <= SLOTS_MAX; slot++)
                        if (count_second(load, slot) > most)
                                most = count_second(load, slot);
                print_message("# %u machines: at most %u requests in a second\n", sizes[i], most);
                assert_in_range(most, 1, S3_BEARS);
        }
        free(load);
}

static void polls_are_not_in_step(void **state)
{
        Load *load = malloc(sizeof(*load));
        unsigned total = 0, most = 0, least = UINT32_MAX, mean;

        (void)state;
        assert_non_null(load);
        simulate(1000, 0, load);
        for (unsigned i = SETTLED * SLOTS; i < SLOTS_MAX - SLOTS; i++) {
                total += load->slots[i];
                most = load->slots[i] > most ? load->slots[i] : most;
                least = load->slots[i] < least ? load->slots[i] : least;
        }
        mean = total / (SLOTS_MAX - SLOTS - SETTLED * SLOTS);
        for (unsigned i = SETTLED * SLOTS; i < SETTLED * SLOTS + SLOTS; i++)
                print_message("# %u.%u s %4u %.*s\n",
                        i / SLOTS,
                        i % SLOTS,
                        load->slots[i],
                        (int)(load->slots[i] / 5),
                        "************************************************************");
        /* Each polls every 0.75 s; were they independent, a tenth of a second would have 133, give
         * or take 12. */
        assert_in_range(mean, 125, 140);
        assert_in_range(most, mean, mean * 14 / 10);
        assert_in_range(least, mean * 6 / 10, mean);
        free(load);
}

static int compare(const void *a, const void *b)
{
        const Usec *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static void what_appears_is_seen_soon(void **state)
{
        Load *load = malloc(sizeof(*load));

        (void)state;
        assert_non_null(load);
        simulate(1000, 30 * USEC_PER_SEC + 123, load);
        qsort(load->seen, 1000, sizeof(load->seen[0]), compare);
        assert_in_range(load->seen[0], 1, SEEN_WITHIN);
        assert_in_range(load->seen[990], 1, SEEN_WITHIN);
        free(load);
}

TESTS_MAIN(cmocka_unit_test(the_store_bears_every_cluster),
        cmocka_unit_test(polls_are_not_in_step),
        cmocka_unit_test(what_appears_is_seen_soon))
