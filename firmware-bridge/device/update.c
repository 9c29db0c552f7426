#include "update.h"

#include "bytes.h"
#include "frame.h"

#define IMAGE_BYTES (8U + SHA256_BYTES)
#define RECORD_BYTES (16U + (3U * IMAGE_BYTES) + 4U)
#define RECORD_MAGIC 0x54424252U /* "RBBT" */
#define BLOCKS_PER_PAGE (UPDATE_PAGE / UPDATE_BLOCK)

static void put_image(uint8_t *at, const struct image *image)
{
    put_u32(at, image->length);
    put_u32(at + 4, image->version);
    memcpy(at + 8, image->hash, SHA256_BYTES);
}

static void get_image(const uint8_t *at, struct image *image)
{
    image->length = get_u32(at);
    image->version = get_u32(at + 4);
    memcpy(image->hash, at + 8, SHA256_BYTES);
}

static bool same_image(const struct image *left, const struct image *right)
{
    uint8_t difference = 0;
    for (unsigned i = 0; i < SHA256_BYTES; i++) {
        difference |= (uint8_t)(left->hash[i] ^ right->hash[i]);
    }

    return difference == 0 && left->length == right->length && left->version == right->version;
}

static bool read_record(const struct hal *hal, enum flash_area area, struct boot_record *record)
{
    uint8_t bytes[RECORD_BYTES];
    if (!hal->flash_read(hal->board, area, 0, bytes, RECORD_BYTES) || get_u32(bytes) != RECORD_MAGIC
        || crc32_of(bytes, RECORD_BYTES - 4U) != get_u32(bytes + RECORD_BYTES - 4U)) {
        return false;
    }

    record->sequence = get_u32(bytes + 4);
    record->active = bytes[8];
    record->trial = bytes[9];
    record->trial_state = bytes[10];
    record->loading = bytes[11];
    record->loaded_pages = get_u32(bytes + 12);
    get_image(bytes + 16, &record->images[0]);
    get_image(bytes + 16 + IMAGE_BYTES, &record->images[1]);
    get_image(bytes + 16 + ((size_t)2U * IMAGE_BYTES), &record->incoming);
    return true;
}

/* Replaces the older copy. A power cut in here leaves the newer copy as it was. */
static bool write_record(struct update *update)
{
    const struct hal *hal = update->hal;
    struct boot_record *record = &update->record;
    uint8_t bytes[RECORD_BYTES];
    record->sequence++;
    put_u32(bytes, RECORD_MAGIC);
    put_u32(bytes + 4, record->sequence);
    bytes[8] = record->active;
    bytes[9] = record->trial;
    bytes[10] = record->trial_state;
    bytes[11] = record->loading;
    put_u32(bytes + 12, record->loaded_pages);
    put_image(bytes + 16, &record->images[0]);
    put_image(bytes + 16 + IMAGE_BYTES, &record->images[1]);
    put_image(bytes + 16 + ((size_t)2U * IMAGE_BYTES), &record->incoming);
    put_u32(bytes + RECORD_BYTES - 4U, crc32_of(bytes, RECORD_BYTES - 4U));
    enum flash_area area = record->sequence % 2U == 0 ? FLASH_RECORD_A : FLASH_RECORD_B;
    return hal->flash_erase(hal->board, area, 0, UPDATE_PAGE) && hal->flash_write(hal->board, area, 0, bytes, RECORD_BYTES);
}

void update_init(struct update *update, const struct hal *hal, uint32_t slot_size)
{
    struct boot_record other;
    update->hal = hal;
    update->slot_size = slot_size;
    update->running = NO_SLOT;
    bool first = read_record(hal, FLASH_RECORD_A, &update->record);
    bool second = read_record(hal, FLASH_RECORD_B, &other);
    if (second && (!first || other.sequence > update->record.sequence)) {
        update->record = other;
    } else if (!first) {
        static const struct boot_record empty = {.active = NO_SLOT, .trial = NO_SLOT, .loading = NO_SLOT};
        update->record = empty;
    }

    update->next_block = update->record.loaded_pages * BLOCKS_PER_PAGE;
}

/* Hashes what the flash holds, in small pieces, with the watchdog kept alive. */
static bool holds(const struct update *update, uint8_t slot, const struct image *image)
{
    const struct hal *hal = update->hal;
    struct sha256 sha;
    uint8_t digest[SHA256_BYTES];
    if (image->length == 0 || image->length > update->slot_size) {
        return false;
    }

    sha256_init(&sha);
    for (uint32_t at = 0; at < image->length; at += UPDATE_BLOCK) {
        uint8_t piece[UPDATE_BLOCK];
        uint32_t count = image->length - at < UPDATE_BLOCK ? image->length - at : UPDATE_BLOCK;
        hal->watchdog_kick(hal->board);
        if (!hal->flash_read(hal->board, slot == 0 ? FLASH_SLOT_A : FLASH_SLOT_B, at, piece, count)) {
            return false;
        }

        sha256_add(&sha, piece, count);
    }

    sha256_end(&sha, digest);
    uint8_t difference = 0;
    for (unsigned i = 0; i < SHA256_BYTES; i++) {
        difference |= (uint8_t)(digest[i] ^ image->hash[i]);
    }

    return difference == 0;
}

uint8_t update_boot(struct update *update)
{
    struct boot_record *record = &update->record;
    if (record->trial < 2U && record->trial_state == TRIAL_BEGUN) {
        record->trial_state = TRIAL_FAILED; /* it was started and never reported in */
        (void)write_record(update);
    }

    if (record->trial < 2U && record->trial_state == TRIAL_READY && holds(update, record->trial, &record->images[record->trial])) {
        record->trial_state = TRIAL_BEGUN;
        if (write_record(update)) {
            update->running = record->trial;
            return update->running;
        }

        record->trial_state = TRIAL_READY; /* not on record: a crash would start it for ever */
    }

    if (record->active < 2U && holds(update, record->active, &record->images[record->active])) {
        update->running = record->active;
    }

    return update->running;
}

enum result update_begin(struct update *update, const struct image *incoming)
{
    struct boot_record *record = &update->record;
    if (incoming->length == 0 || incoming->length > update->slot_size) {
        return RESULT_OUT_OF_RANGE;
    }

    if (update_on_trial(update)) {
        return RESULT_WRONG_MODE; /* the other slot is the way back */
    }

    if (record->loading < 2U && same_image(&record->incoming, incoming)) {
        return RESULT_OK; /* the same image again: go on where it stopped */
    }

    record->loading = update->running == 0 ? 1 : 0;
    record->incoming = *incoming;
    record->loaded_pages = 0;
    update->next_block = 0;

    /* What stood in that slot is no image any more, and the record says so before the first page is erased. */
    record->images[record->loading].length = 0;
    record->trial = NO_SLOT;
    record->trial_state = TRIAL_NONE;
    return write_record(update) ? RESULT_OK : RESULT_FLASH;
}

uint32_t update_blocks(const struct update *update)
{
    return update->record.loading < 2U ? (update->record.incoming.length + UPDATE_BLOCK - 1U) / UPDATE_BLOCK : 0;
}

enum result update_block(struct update *update, uint32_t index, const uint8_t *bytes, uint32_t count)
{
    const struct hal *hal = update->hal;
    struct boot_record *record = &update->record;
    uint32_t blocks = update_blocks(update);
    if (blocks == 0) {
        return RESULT_WRONG_MODE;
    }

    if (index >= blocks || index > update->next_block) {
        return RESULT_WRONG_BLOCK;
    }

    uint32_t last = record->incoming.length - ((blocks - 1U) * UPDATE_BLOCK);
    if (count != (index + 1U == blocks ? last : UPDATE_BLOCK)) {
        return RESULT_WRONG_LENGTH;
    }

    if (index < update->next_block) {
        return RESULT_OK; /* it is there: the reply was lost */
    }

    enum flash_area area = record->loading == 0 ? FLASH_SLOT_A : FLASH_SLOT_B;
    uint32_t offset = index * UPDATE_BLOCK;
    if (index % BLOCKS_PER_PAGE == 0) {
        if (record->loaded_pages < index / BLOCKS_PER_PAGE) {
            record->loaded_pages = index / BLOCKS_PER_PAGE;
            if (!write_record(update)) {
                return RESULT_FLASH;
            }
        }

        if (!hal->flash_erase(hal->board, area, offset, UPDATE_PAGE)) {
            return RESULT_FLASH;
        }
    }

    if (!hal->flash_write(hal->board, area, offset, bytes, count)) {
        return RESULT_FLASH;
    }

    update->next_block = index + 1U;
    return RESULT_OK;
}

enum result update_finish(struct update *update)
{
    struct boot_record *record = &update->record;
    if (update_blocks(update) == 0 || update->next_block != update_blocks(update)) {
        return RESULT_WRONG_MODE;
    }

    uint8_t slot = record->loading;
    bool whole = holds(update, slot, &record->incoming);
    record->loading = NO_SLOT;
    record->loaded_pages = 0;
    update->next_block = 0;
    if (whole) {
        record->images[slot] = record->incoming;
        record->trial = slot;
        record->trial_state = TRIAL_READY;
    }

    if (!write_record(update)) {
        return RESULT_FLASH;
    }

    return whole ? RESULT_OK : RESULT_WRONG_HASH;
}

bool update_on_trial(const struct update *update)
{
    return update->running < 2U && update->running == update->record.trial && update->record.trial_state == TRIAL_BEGUN;
}

enum result update_confirm(struct update *update)
{
    struct boot_record *record = &update->record;
    if (!update_on_trial(update)) {
        return RESULT_OK; /* said twice, or nothing to say */
    }

    record->active = record->trial;
    record->trial = NO_SLOT;
    record->trial_state = TRIAL_NONE;
    return write_record(update) ? RESULT_OK : RESULT_FLASH;
}
