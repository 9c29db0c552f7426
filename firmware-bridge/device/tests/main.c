#include "check.h"

int checks_done;
int checks_failed;

int main(void)
{
    frame_tests();
    servo_tests();
    device_tests();
    update_tests();
    printf("%d checks, %d failed\n", checks_done, checks_failed);
    return checks_failed > 0;
}
