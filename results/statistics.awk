# Medians of paired values and intervals for them, without assumptions on their distribution.

function sort_values(list, n,   i, j, kept) {
    for (i = 2; i <= n; i++) {
        kept = list[i]
        for (j = i - 1; j >= 1 && list[j] > kept; j--) list[j + 1] = list[j]
        list[j + 1] = kept
    }
}

# How many of the lowest and of the highest of n values lie outside the interval, the bound itself counted: the interval
# from one such bound to the other holds the true median with at least 95 % (it is that of the sign test). 0: none does.
function bound_rank(n,   k, tail, term) {
    term = tail = 0.5 ^ n
    for (k = 0; 2 * tail <= 0.05; k++) {
        term *= (n - k) / (k + 1)
        tail += term
    }
    return k
}

# Sets MEDIAN, LOW and HIGH; LOW and HIGH are empty where there are too few values (fewer than six). Sorts the list.
function estimate(list, n,   k) {
    MEDIAN = LOW = HIGH = ""
    if (!n) return
    sort_values(list, n)
    MEDIAN = (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2
    k = bound_rank(n)
    if (!k) return
    LOW = list[k]; HIGH = list[n + 1 - k]
}
