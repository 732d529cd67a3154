/* Estimates and verdicts on ratios whose truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "replay/statistics.h"

/* Ten blocks around 1 by up to 1 %, and the same 5 % higher. */
static const double even[] = {0.99, 1.0, 1.01, 0.995, 1.005, 1.0, 0.998, 1.002, 0.992, 1.008};
static double higher[10];

static struct ratio_estimate estimate_of(const struct ratio_sample *samples, size_t count)
{
    struct ratio_estimate estimate;
    assert_int_equal(statistics_estimate(&estimate, samples, count, 1), 0);
    return estimate;
}

static int make_higher(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++)
        higher[i] = even[i] * 1.05;
    return 0;
}

static void test_median(void **state)
{
    double odd[] = {3, 1, 2}, pair[] = {4, 1, 3, 2};
    (void)state;
    assert_true(statistics_median(odd, 3) == 2);
    assert_true(statistics_median(pair, 4) == 2.5);
    assert_true(isnan(statistics_median(odd, 0)));
}

static void test_estimate(void **state)
{
    struct ratio_sample sample = {even, 10};
    struct ratio_estimate estimate = estimate_of(&sample, 1), again = estimate_of(&sample, 1);
    (void)state;
    assert_true(fabs(estimate.ratio - 1.0) < 1e-12);
    assert_true(estimate.low < 1 && estimate.low >= 0.99);
    assert_true(estimate.high > 1 && estimate.high <= 1.01);
    assert_memory_equal(&estimate, &again, sizeof estimate);
}

static void test_geometric_mean(void **state)
{
    const double half[] = {0.5, 0.5, 0.5}, two[] = {2, 2, 2};
    const struct ratio_sample samples[] = {{half, 3}, {NULL, 0}, {two, 3}};
    struct ratio_estimate estimate = estimate_of(samples, 3);
    (void)state;
    assert_true(fabs(estimate.ratio - 1) < 1e-12 && fabs(estimate.low - 1) < 1e-12);
    assert_true(isnan(estimate_of(samples + 1, 1).ratio));
}

static void test_variance(void **state)
{
    const double wide[] = {0.5, 2, 1, 0.6, 1.7}, same[] = {1.3, 1.3, 1.3};
    const struct ratio_sample samples[] = {{even, 10}, {wide, 5}, {same, 3}, {NULL, 0}};
    double variances[4];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(statistics_variance(&variances[i], &samples[i], 1), 0);
    /* Medians of resamples of `even` lie within its range, 2 %. */
    assert_true(variances[0] > 0 && variances[0] < 0.01 * 0.01);
    assert_true(variances[1] > 100 * variances[0]);
    assert_true(variances[2] < 1e-12);
    assert_true(isnan(variances[3]));
}

static void test_verdicts(void **state)
{
    struct ratio_sample same = {even, 10}, more = {higher, 10};
    struct ratio_estimate control = estimate_of(&same, 1), slower = estimate_of(&more, 1);
    struct ratio_estimate faster = {1 / slower.ratio, 1 / slower.high, 1 / slower.low},
                          none = {NAN, NAN, NAN};
    (void)state;
    assert_int_equal(statistics_verdict(&slower, 10, &control), VERDICT_MORE);
    assert_int_equal(statistics_verdict(&faster, 10, &control), VERDICT_LESS);
    assert_int_equal(statistics_verdict(&control, 10, &control), VERDICT_NO_DIFFERENCE);
    assert_int_equal(statistics_verdict(&slower, 4, &control), VERDICT_TOO_FEW_BLOCKS);
    assert_int_equal(statistics_verdict(&slower, 10, &none), VERDICT_NO_CONTROL);
    /* A control that itself shows 6 % leaves nothing to say about 5 %. */
    struct ratio_estimate noisy = {1.0, 0.98, 1.06};
    assert_int_equal(statistics_verdict(&slower, 10, &noisy), VERDICT_NO_DIFFERENCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),         cmocka_unit_test(test_estimate),
        cmocka_unit_test(test_geometric_mean), cmocka_unit_test(test_variance),
        cmocka_unit_test(test_verdicts),
    };
    return cmocka_run_group_tests(tests, make_higher, NULL);
}
