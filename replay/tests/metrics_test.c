/* Metrics of samples small enough to be worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "replay/metrics.h"

static void assert_near(double actual, double expected)
{
    if (!(fabs(actual - expected) < 1e-9 * fmax(1, fabs(expected))))
        fail_msg("%.12g is not %.12g", actual, expected);
}

/* L rises to 100 over 10 events and falls to 50 over 10 more; R stays at 200 after the first point.
 */
static const struct sample hill[] = {
    {.event = 10,
     .live_bytes = 100,
     .usable_bytes = 120,
     .resident_bytes = 200,
     .point = POINT_PEAK_LIVE,
     .usable_known = true},
    {.event = 20,
     .live_bytes = 50,
     .usable_bytes = 60,
     .resident_bytes = 200,
     .point = POINT_END,
     .usable_known = true},
    {.event = 20,
     .live_bytes = 0,
     .usable_bytes = 0,
     .resident_bytes = 70,
     .point = POINT_DRAIN_0,
     .usable_known = true},
    {.event = 20,
     .live_bytes = 0,
     .usable_bytes = 0,
     .resident_bytes = 30,
     .point = POINT_DRAIN_1S,
     .usable_known = true},
};

static void test_hill(void **state)
{
    struct fragmentation result;
    (void)state;
    metrics_of_samples(&result, hill, 4, 250, 100);
    /* Integrals: L 500 + 750, U 600 + 900, R 1000 + 2000. */
    assert_near(result.integral, 3000.0 / 1250);
    assert_near(result.internal, (1500.0 - 1250) / 1500);
    assert_near(result.mean_rss_bytes, 3000.0 / 20);
    assert_near(result.mean, (2.0 + 4.0) / 2);
    assert_near(result.at_peak_live, 2.0);
    assert_near(result.at_peak_rss, 2.0);
    assert_near(result.peak_ratio, 2.5);
    assert_near(result.peak_usable_bytes, 120);
    assert_near(result.drained_rss_bytes, 30);
}

static void test_unknown_usable(void **state)
{
    struct fragmentation result;
    struct sample samples[2] = {hill[0], hill[1]};
    (void)state;
    samples[0].usable_known = samples[1].usable_known = false;
    metrics_of_samples(&result, samples, 2, 250, 100);
    assert_true(isnan(result.internal));
    assert_true(isnan(result.peak_usable_bytes));
    assert_true(isnan(result.drained_rss_bytes));
    assert_near(result.integral, 3000.0 / 1250);
}

static void test_nothing(void **state)
{
    struct fragmentation result;
    (void)state;
    metrics_of_samples(&result, NULL, 0, 0, 0);
    assert_true(isnan(result.mean));
    assert_true(isnan(result.integral));
    assert_true(isnan(result.peak_ratio));
    assert_true(isnan(result.internal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hill),
        cmocka_unit_test(test_unknown_usable),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
