/* A set of nodes ordered by key, then by address: best fit for free blocks (the key is the size),
 * lowest address first for anything with one key.
 *
 * It is a treap.  Invariants: in-order traversal gives ascending (key, address); no node has a
 * child of higher priority, where the priority is a hash of the node's own address.  So the shape
 * depends on the set alone, the expected depth is logarithmic, and nothing is stored to balance it.
 * The caller owns the nodes and keeps the key unchanged while a node is in a tree. */
#ifndef ALLOCATOR_TREE_H
#define ALLOCATOR_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct tree_node {
    struct tree_node *left, *right;
    size_t key;
};

void tree_insert(struct tree_node **root, struct tree_node *node);
/* Returns false, changing nothing, where the node is not in the tree. */
bool tree_remove(struct tree_node **root, struct tree_node *node);
/* Returns the node with the smallest key of at least `key`, the lowest address among equals. */
struct tree_node *tree_at_least(struct tree_node *root, size_t key);
/* The lowest node, and the one that follows `node`; NULL at the end. */
struct tree_node *tree_first(struct tree_node *root);
struct tree_node *tree_after(struct tree_node *root, const struct tree_node *node);

#endif
