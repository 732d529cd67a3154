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

/* U is known at some points only: its integrals go from one of these to the next. */
static void test_usable_at_some_points(void **state)
{
    struct fragmentation result;
    struct sample samples[3] = {hill[0], hill[0], hill[1]};
    (void)state;
    samples[0].event = 5;
    samples[0].usable_bytes = 0;
    samples[0].usable_known = false;
    metrics_of_samples(&result, samples, 3, 250, 100);
    assert_near(result.internal, (1500.0 - 1250) / 1500);
    assert_near(result.peak_usable_bytes, 120);
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

#define SERIES_POINTS 200
#define SERIES_STEP   1000000

/* Fills points whose L is a sawtooth of ten steps between 1 and 2 MB. */
static void make_sawtooth(struct sample *samples)
{
    for (uint32_t i = 0; i < SERIES_POINTS; i++)
        samples[i] = (struct sample){.event = (uint64_t)(i + 1) * SERIES_STEP,
                                     .live_bytes = 1000000 + 100000 * (i % 10)};
    samples[SERIES_POINTS - 1].point = POINT_END;
}

static struct fragmentation metrics_of(const struct sample *samples)
{
    struct fragmentation result;
    metrics_of_samples(&result, samples, SERIES_POINTS, 1, 1);
    return result;
}

/* A leak of 300 bytes per million events, beside teeth three thousand times as high. */
static void test_slope_of_leak(void **state)
{
    struct sample samples[SERIES_POINTS];
    (void)state;
    make_sawtooth(samples);
    for (uint32_t i = 0; i < SERIES_POINTS; i++)
        samples[i].resident_bytes = 5000000 + 300 * (i + 1);
    struct fragmentation result = metrics_of(samples);
    assert_near(result.rss_slope, 300);
    assert_true(fabs(result.live_slope) < 1000); /* least squares: up to 1650, by the phase */

    /* Nothing of the warm-up counts, and no single point. */
    for (uint32_t i = 0; i < SERIES_POINTS / 2 - 1; i++)
        samples[i].resident_bytes = 0;
    samples[150].resident_bytes = 500000000;
    assert_near(metrics_of(samples).rss_slope, 300);
}

/* L and R rise together: growth, but no leak. */
static void test_slope_of_growth(void **state)
{
    struct sample samples[SERIES_POINTS];
    (void)state;
    for (uint32_t i = 0; i < SERIES_POINTS; i++)
        samples[i] = (struct sample){.event = (uint64_t)(i + 1) * SERIES_STEP / 2,
                                     .live_bytes = 1000 + 50 * i,
                                     .resident_bytes = 90000 - 70 * i};
    struct fragmentation result = metrics_of(samples);
    assert_near(result.live_slope, 100);
    assert_near(result.rss_slope, -140);
    metrics_of_samples(&result, samples, METRICS_SLOPE_POINTS - 1, 1, 1);
    assert_true(isnan(result.rss_slope));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slope_of_leak),
        cmocka_unit_test(test_slope_of_growth),
        cmocka_unit_test(test_hill),
        cmocka_unit_test(test_unknown_usable),
        cmocka_unit_test(test_usable_at_some_points),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
