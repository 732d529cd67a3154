/* The address map against a plain array of everything that it should hold. */
#include "traces/tests/support.h"

#include "traces/address_map.h"

#define ADDRESSES 5000

static void adds_finds_and_removes(void **state)
{
    (void)state;
    struct address_map *map = address_map_new();
    struct mapped_object found;
    assert_false(address_map_find(map, 0x1000, &found));
    assert_false(address_map_remove(map, 0x1000, &found));
    assert_int_equal(address_map_add(map, 0x1000, (struct mapped_object){24, 7}), 0);
    assert_int_equal(address_map_add(map, 0x1000, (struct mapped_object){99, 8}), -EEXIST);
    assert_true(address_map_find(map, 0x1000, &found));
    assert_int_equal(found.bytes, 24);
    assert_int_equal(found.object, 7);
    assert_true(address_map_remove(map, 0x1000, &found));
    assert_int_equal(found.object, 7);
    assert_int_equal(address_map_count(map), 0);
    assert_false(address_map_find(map, 0x1000, &found));
    address_map_destroy(map);
}

static void null_is_never_there(void **state)
{
    (void)state;
    struct address_map *map = address_map_new();
    struct mapped_object found;
    assert_false(address_map_find(map, 0, &found));
    assert_false(address_map_remove(map, 0, &found));
    address_map_destroy(map);
}

/* Addresses as allocators give them, 16 bytes apart, so that probe sequences run into one another
 * and around the end of the table. */
static void agrees_with_an_array(void **state)
{
    (void)state;
    static uint64_t held[ADDRESSES]; /* bytes, 0: not there */
    struct address_map *map = address_map_new();
    size_t count = 0;
    unsigned seed = 1;
    for (unsigned step = 0; step < 400000; step++) {
        unsigned index = (unsigned)rand_r(&seed) % ADDRESSES;
        uint64_t address = UINT64_C(0x555500001000) + 16 * (uint64_t)index;
        struct mapped_object object = {step + 1, index}, found;
        assert_int_equal(address_map_find(map, address, &found), held[index] != 0);
        /* Waves: the map is mostly filled, then mostly emptied. */
        if ((unsigned)rand_r(&seed) % 4 < (step / 50000 % 2 ? 1 : 3)) {
            int status = address_map_add(map, address, object);
            assert_int_equal(status, held[index] ? -EEXIST : 0);
            if (!status) {
                held[index] = object.bytes;
                count++;
            }
        } else {
            bool removed = address_map_remove(map, address, &found);
            assert_int_equal(removed, held[index] != 0);
            if (removed) {
                assert_int_equal(found.bytes, held[index]);
                assert_int_equal(found.object, index);
                held[index] = 0;
                count--;
            }
        }
        assert_int_equal(address_map_count(map), count);
    }
    address_map_destroy(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_finds_and_removes),
        cmocka_unit_test(null_is_never_there),
        cmocka_unit_test(agrees_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
