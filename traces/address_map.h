/* From the address of a live object to its id: what importers and the recorder need to turn
 * pointers into objects.
 *
 * Open addressing with linear probing; a removal closes its gap, so the map does not fill up with
 * the dead however long the trace. It takes 20 bytes for each slot and is 53 to 80 % full: 25 to 38
 * bytes for each live object (while it grows, once more the old size).
 *
 * Thread safety: none.
 */
#ifndef TRACES_ADDRESS_MAP_H
#define TRACES_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_map;

struct mapped_object {
    uint64_t bytes; /* requested; the map only keeps it */
    uint32_t object;
};

/* Returns NULL with errno ENOMEM. */
struct address_map *address_map_new(void);
void address_map_destroy(struct address_map *map);

/* Adds `address`, which is not 0. Returns 0, -EEXIST where it is there already (which changes
 * nothing) or -ENOMEM. */
int address_map_add(struct address_map *map, uint64_t address, struct mapped_object object);

/* Return whether `address` is there, and fill *object if so. */
bool address_map_find(const struct address_map *map, uint64_t address,
                      struct mapped_object *object);
bool address_map_remove(struct address_map *map, uint64_t address, struct mapped_object *object);

size_t address_map_count(const struct address_map *map);

#endif
