/* The UPDATE requests and REBOOT: update.c behind the wire. Nothing of it while the device is armed. */
#include "bytes.h"
#include "device.h"

static void answer(struct device *device, const struct frame *request, enum result result)
{
    uint8_t payload[8];
    put_u32(payload, device->update.next_block);
    put_u32(payload + 4, update_blocks(&device->update));
    device_reply(device, request, result, (uint8_t)device->mode, payload, sizeof payload);
}

static void status(struct device *device, const struct frame *request)
{
    uint8_t payload[20];
    const struct update *update = &device->update;
    const struct boot_record *record = &update->record;
    payload[0] = update->running;
    payload[1] = record->active;
    payload[2] = record->trial;
    payload[3] = record->trial_state;
    put_u32(payload + 4, update->next_block);
    put_u32(payload + 8, update_blocks(update));
    put_u32(payload + 12, record->trial < 2U ? record->images[record->trial].version : 0);
    put_u32(payload + 16, UPDATE_BLOCK);
    device_reply(device, request, RESULT_OK, (uint8_t)device->mode, payload, sizeof payload);
}

static enum result begin(struct device *device, const struct frame *request)
{
    struct image incoming;
    if (request->length != 8U + SHA256_BYTES) {
        return RESULT_WRONG_LENGTH;
    }

    incoming.length = get_u32(request->payload);
    incoming.version = get_u32(request->payload + 4);
    memcpy(incoming.hash, request->payload + 8, SHA256_BYTES);
    return update_begin(&device->update, &incoming);
}

void update_request(struct device *device, const struct frame *request)
{
    if (request->type == MESSAGE_UPDATE_STATUS) {
        status(device, request);
        return;
    }

    /* Everything below writes flash or reboots; a processor stands still meanwhile, and a servo must not. */
    bool armed = device->mode == MODE_ARMED || device->mode == MODE_ACTIVE;
    if (armed || device->config.slot_size == 0) {
        answer(device, request, RESULT_WRONG_MODE);
    } else if (request->type == MESSAGE_UPDATE_CONFIRM) {
        answer(device, request, update_confirm(&device->update));
    } else if (request->type == MESSAGE_UPDATE_BEGIN) {
        answer(device, request, begin(device, request));
    } else if (request->type == MESSAGE_UPDATE_BLOCK) {
        answer(device, request, request->length > 4 ? update_block(&device->update, get_u32(request->payload), request->payload + 4, (uint32_t)request->length - 4U)
                                                    : RESULT_WRONG_LENGTH);
    } else if (request->type == MESSAGE_UPDATE_FINISH) {
        answer(device, request, update_finish(&device->update));
    } else {
        answer(device, request, RESULT_OK);
        device->hal->reboot(device->hal->board);
    }
}
