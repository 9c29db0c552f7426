/* Update: whole, interrupted, repeated, forged, on trial; and the power cut in every single flash write. */
#include <string.h>

#include "../bytes.h"
#include "bench.h"
#include "check.h"

#define IMAGE (2U * UPDATE_PAGE + 300U)

static struct bench bench;
static uint8_t old_image[UPDATE_PAGE];
static uint8_t new_image[IMAGE];

static struct image describe(const uint8_t *bytes, uint32_t length, uint32_t version)
{
    struct image image = {.length = length, .version = version};
    struct sha256 sha;
    sha256_init(&sha);
    sha256_add(&sha, bytes, length);
    sha256_end(&sha, image.hash);
    return image;
}

/* Sends the blocks from where the device stands; the first result that is not OK. */
static enum result load(struct update *update, const uint8_t *bytes, uint32_t length, uint32_t version)
{
    struct image image = describe(bytes, length, version);
    enum result result = update_begin(update, &image);
    while (result == RESULT_OK && update->next_block < update_blocks(update)) {
        uint32_t at = update->next_block * UPDATE_BLOCK;
        result = update_block(update, update->next_block, bytes + at, length - at < UPDATE_BLOCK ? length - at : UPDATE_BLOCK);
    }

    return result == RESULT_OK ? update_finish(update) : result;
}

/* Power on: the boot loader runs. */
static uint8_t power_on(struct update *update)
{
    update_init(update, &bench.hal, BENCH_SLOT);
    return update_boot(update);
}

static void factory(struct update *update)
{
    bench_init(&bench, 1);
    memset(old_image, 0x11, sizeof old_image);
    for (uint32_t i = 0; i < IMAGE; i++) {
        new_image[i] = (uint8_t)(i * 31U);
    }

    CHECK_EQUAL(NO_SLOT, power_on(update));
    CHECK_EQUAL(RESULT_OK, load(update, old_image, sizeof old_image, 1));
    CHECK_EQUAL(0, power_on(update));
    CHECK(update_on_trial(update));
    CHECK_EQUAL(RESULT_OK, update_confirm(update));
    CHECK_EQUAL(RESULT_OK, update_confirm(update));
    CHECK_EQUAL(0, power_on(update));
    CHECK(!update_on_trial(update));
    CHECK_EQUAL(0, update->record.active);
}

static void straight(void)
{
    struct update update;
    factory(&update);
    CHECK_EQUAL(RESULT_WRONG_MODE, update_block(&update, 0, new_image, UPDATE_BLOCK));
    CHECK_EQUAL(RESULT_OK, load(&update, new_image, IMAGE, 2));
    CHECK_EQUAL(1, power_on(&update));
    struct image other = describe(old_image, 100, 3);
    CHECK_EQUAL(RESULT_WRONG_MODE, update_begin(&update, &other)); /* on trial: the way back stays */
    CHECK_EQUAL(RESULT_OK, update_confirm(&update));
    CHECK_EQUAL(1, power_on(&update));
    CHECK_EQUAL(RESULT_OK, load(&update, old_image, sizeof old_image, 4)); /* and into the other slot again */
    CHECK_EQUAL(0, power_on(&update));
}

static void silent_image(void)
{
    struct update update;
    factory(&update);
    CHECK_EQUAL(RESULT_OK, load(&update, new_image, IMAGE, 2));
    CHECK_EQUAL(1, power_on(&update));
    CHECK_EQUAL(0, power_on(&update)); /* it never reported in */
    CHECK_EQUAL(TRIAL_FAILED, update.record.trial_state);
    CHECK_EQUAL(0, power_on(&update));
    CHECK_EQUAL(RESULT_OK, load(&update, new_image, IMAGE, 2)); /* a second chance, if somebody asks for it */
    CHECK_EQUAL(1, power_on(&update));
}

static void wrong(void)
{
    struct update update;
    factory(&update);
    struct image image = describe(new_image, IMAGE, 2);
    struct image large = image;
    large.length = BENCH_SLOT + 1U;
    CHECK_EQUAL(RESULT_OUT_OF_RANGE, update_begin(&update, &large));
    large.length = 0;
    CHECK_EQUAL(RESULT_OUT_OF_RANGE, update_begin(&update, &large));
    CHECK_EQUAL(RESULT_OK, update_begin(&update, &image));
    CHECK_EQUAL(RESULT_WRONG_BLOCK, update_block(&update, 1, new_image, UPDATE_BLOCK));
    CHECK_EQUAL(RESULT_WRONG_LENGTH, update_block(&update, 0, new_image, UPDATE_BLOCK - 1U));
    CHECK_EQUAL(RESULT_OK, update_block(&update, 0, new_image, UPDATE_BLOCK));
    CHECK_EQUAL(RESULT_OK, update_block(&update, 0, new_image, UPDATE_BLOCK)); /* said twice */
    CHECK_EQUAL(RESULT_WRONG_BLOCK, update_block(&update, 1000, new_image, UPDATE_BLOCK));
    CHECK_EQUAL(RESULT_WRONG_MODE, update_finish(&update)); /* not all there */
    image.hash[0] ^= 1U;
    CHECK_EQUAL(RESULT_OK, update_begin(&update, &image)); /* another image: from its start */
    CHECK_EQUAL(0, update.next_block);
    for (uint32_t i = 0; i < update_blocks(&update); i++) {
        uint32_t at = i * UPDATE_BLOCK;
        CHECK_EQUAL(RESULT_OK, update_block(&update, i, new_image + at, IMAGE - at < UPDATE_BLOCK ? IMAGE - at : UPDATE_BLOCK));
    }

    CHECK_EQUAL(RESULT_WRONG_HASH, update_finish(&update));
    CHECK_EQUAL(0, power_on(&update));

    /* Flash that rots: the trial is not started, the old image is; and when that is gone too, the boot loader waits. */
    CHECK_EQUAL(RESULT_OK, load(&update, new_image, IMAGE, 2));
    bench.flash[FLASH_SLOT_B][5] ^= 1U;
    CHECK_EQUAL(0, power_on(&update));
    bench.flash[FLASH_SLOT_A][5] ^= 1U;
    CHECK_EQUAL(NO_SLOT, power_on(&update));
}

static void resumed(void)
{
    struct update update;
    factory(&update);
    struct image image = describe(new_image, IMAGE, 2);
    CHECK_EQUAL(RESULT_OK, update_begin(&update, &image));
    for (uint32_t i = 0; i < 40; i++) {
        CHECK_EQUAL(RESULT_OK, update_block(&update, i, new_image + ((size_t)i * UPDATE_BLOCK), UPDATE_BLOCK));
    }

    CHECK_EQUAL(RESULT_OK, update_begin(&update, &image)); /* the host broke off */
    CHECK_EQUAL(40, update.next_block);
    CHECK_EQUAL(0, power_on(&update)); /* the power did */
    CHECK_EQUAL(32, update.next_block); /* whole pages count */
    CHECK_EQUAL(RESULT_OK, load(&update, new_image, IMAGE, 2));
    CHECK_EQUAL(1, power_on(&update));
}

/* In whichever write the power goes: the next boot starts one of the two whole images, and the update can be finished. */
static void power_cuts(void)
{
    struct update update;
    factory(&update);
    long before = bench.writes;
    CHECK_EQUAL(RESULT_OK, load(&update, new_image, IMAGE, 2));
    CHECK_EQUAL(1, power_on(&update));
    CHECK_EQUAL(RESULT_OK, update_confirm(&update));
    long all = bench.writes - before;
    for (long cut = 1; cut <= all; cut++) {
        factory(&update);
        bench.fail_at = bench.writes + cut;
        if (load(&update, new_image, IMAGE, 2) == RESULT_OK) {
            power_on(&update);
            (void)update_confirm(&update);
        }

        bench.fail_at = 0;
        uint8_t slot = power_on(&update);
        CHECK(slot == 0 || slot == 1);
        const uint8_t *wanted = slot == 0 ? old_image : new_image;
        CHECK(memcmp(bench.flash[slot], wanted, slot == 0 ? sizeof old_image : IMAGE) == 0);
        if (slot == 0) {
            CHECK_EQUAL(RESULT_OK, load(&update, new_image, IMAGE, 2));
            CHECK_EQUAL(1, power_on(&update));
        }

        CHECK_EQUAL(RESULT_OK, update_confirm(&update));
        CHECK_EQUAL(1, power_on(&update));
    }

    printf("update: power cut in each of %ld flash writes\n", all);
}

static void over_the_wire(void)
{
    uint8_t answer[FRAME_MAX_PAYLOAD];
    uint8_t begin[40];
    uint8_t block[4 + UPDATE_BLOCK];
    struct update update;
    factory(&update);
    struct image image = describe(new_image, IMAGE, 9);
    device_init(&bench.device, &bench.hal, &bench.config, 1, 0);
    bench_ticks(&bench, 1);
    put_u32(begin, image.length);
    put_u32(begin + 4, image.version);
    memcpy(begin + 8, image.hash, SHA256_BYTES);
    CHECK_EQUAL(RESULT_WRONG_LENGTH, bench_ask(&bench, MESSAGE_UPDATE_BEGIN, begin, 39, answer));
    uint8_t arm[3] = {5, 0, 0};
    CHECK_EQUAL(RESULT_OK, bench_ask(&bench, MESSAGE_ARM, arm, 3, answer));
    CHECK_EQUAL(RESULT_WRONG_MODE, bench_ask(&bench, MESSAGE_UPDATE_BEGIN, begin, 40, answer));
    CHECK_EQUAL(RESULT_WRONG_MODE, bench_ask(&bench, MESSAGE_REBOOT, 0, 0, answer));
    CHECK_EQUAL(RESULT_OK, bench_ask(&bench, MESSAGE_DISARM, 0, 0, answer));
    CHECK_EQUAL(RESULT_OK, bench_ask(&bench, MESSAGE_UPDATE_BEGIN, begin, 40, answer));
    uint32_t blocks = get_u32(answer + 6);
    CHECK_EQUAL((IMAGE + UPDATE_BLOCK - 1U) / UPDATE_BLOCK, blocks);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t at = i * UPDATE_BLOCK;
        uint32_t count = IMAGE - at < UPDATE_BLOCK ? IMAGE - at : UPDATE_BLOCK;
        put_u32(block, i);
        memcpy(block + 4, new_image + at, count);
        CHECK_EQUAL(RESULT_OK, bench_ask(&bench, MESSAGE_UPDATE_BLOCK, block, 4 + count, answer));
        CHECK_EQUAL(i + 1, get_u32(answer + 2));
    }

    CHECK_EQUAL(RESULT_WRONG_LENGTH, bench_ask(&bench, MESSAGE_UPDATE_BLOCK, block, 4, answer));
    CHECK_EQUAL(RESULT_OK, bench_ask(&bench, MESSAGE_UPDATE_FINISH, 0, 0, answer));
    CHECK_EQUAL(RESULT_OK, bench_ask(&bench, MESSAGE_UPDATE_STATUS, 0, 0, answer));
    CHECK_EQUAL(TRIAL_READY, answer[2 + 3]);
    CHECK_EQUAL(9, get_u32(answer + 2 + 12));
    CHECK_EQUAL(RESULT_OK, bench_ask(&bench, MESSAGE_REBOOT, 0, 0, answer));
    CHECK_EQUAL(1, bench.reboots);

    /* The new image is up and nobody speaks to it. */
    CHECK_EQUAL(1, power_on(&update));
    device_init(&bench.device, &bench.hal, &bench.config, 2, 1);
    bench_ticks(&bench, 499);
    CHECK_EQUAL(1, bench.reboots);
    bench_ticks(&bench, 5);
    CHECK(bench.reboots > 1);
    CHECK_EQUAL(RESULT_OK, bench_ask(&bench, MESSAGE_UPDATE_CONFIRM, 0, 0, answer));
    CHECK(!update_on_trial(&bench.device.update));
    bench.device.config.slot_size = 0;
    CHECK_EQUAL(RESULT_WRONG_MODE, bench_ask(&bench, MESSAGE_UPDATE_BEGIN, begin, 40, answer));
}

void update_tests(void)
{
    straight();
    silent_image();
    wrong();
    resumed();
    power_cuts();
    over_the_wire();
}
