#include "allocator/tree.h"

#include <stdint.h>

static bool is_before(const struct tree_node *a, const struct tree_node *b)
{
    return a->key != b->key ? a->key < b->key : (uintptr_t)a < (uintptr_t)b;
}

static uint64_t priority(const struct tree_node *node)
{
    /* Multiplicative hashing with 2^64 divided by the golden ratio (Knuth, volume 3, 6.4); the low
     * bits of an address are always zero and the product's high bits depend on all others. */
    return ((uint64_t)(uintptr_t)node >> 4) * UINT64_C(0x9E3779B97F4A7C15);
}

/* Splits `tree` into the nodes before `pivot` and those after it. */
static void split(struct tree_node *tree, const struct tree_node *pivot, struct tree_node **before,
                  struct tree_node **after)
{
    while (tree) {
        if (is_before(tree, pivot)) {
            *before = tree;
            before = &tree->right;
            tree = tree->right;
        } else {
            *after = tree;
            after = &tree->left;
            tree = tree->left;
        }
    }
    *before = NULL;
    *after = NULL;
}

/* Joins two trees, every node of `low` before every node of `high`. */
static void join(struct tree_node *low, struct tree_node *high, struct tree_node **joined)
{
    while (low && high) {
        if (priority(low) >= priority(high)) {
            *joined = low;
            joined = &low->right;
            low = low->right;
        } else {
            *joined = high;
            joined = &high->left;
            high = high->left;
        }
    }
    *joined = low ? low : high;
}

void tree_insert(struct tree_node **root, struct tree_node *node)
{
    struct tree_node **link = root;

    while (*link && priority(*link) >= priority(node))
        link = is_before(node, *link) ? &(*link)->left : &(*link)->right;
    split(*link, node, &node->left, &node->right);
    *link = node;
}

bool tree_remove(struct tree_node **root, struct tree_node *node)
{
    struct tree_node **link = root;

    while (*link && *link != node)
        link = is_before(node, *link) ? &(*link)->left : &(*link)->right;
    if (!*link)
        return false;
    join(node->left, node->right, link);
    return true;
}

struct tree_node *tree_at_least(struct tree_node *root, size_t key)
{
    struct tree_node *best = NULL;

    while (root) {
        if (root->key >= key) {
            best = root;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return best;
}

struct tree_node *tree_first(struct tree_node *root)
{
    while (root && root->left)
        root = root->left;
    return root;
}

struct tree_node *tree_after(struct tree_node *root, const struct tree_node *node)
{
    struct tree_node *next = NULL;

    while (root) {
        if (is_before(node, root)) {
            next = root;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return next;
}
