// Coverage of C code for libFuzzer, where the C compiler is GCC: it calls a function at every edge, and libFuzzer wants a
// counter for each. Edges share counters by a hash of their address; 32,768 of them are few enough to be looked through
// after each input and many enough for libjpeg-turbo's decoder. cover-cc gives the function its name.
#include <stddef.h>
#include <stdint.h>

#define COUNTERS 32768

static uint8_t counters[COUNTERS];
static uintptr_t addresses[2 * COUNTERS];

void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop);
void __sanitizer_cov_pcs_init(const uintptr_t *start, const uintptr_t *stop);

void lamina_cover(void) {
    uint32_t address = (uint32_t)(uintptr_t)__builtin_return_address(0);
    uint32_t at = (address * 2654435769u) >> 17;
    counters[at]++;
    addresses[2 * at] = address;
}

__attribute__((constructor)) static void registered(void) {
    __sanitizer_cov_8bit_counters_init(counters, counters + COUNTERS);
    __sanitizer_cov_pcs_init(addresses, addresses + 2 * COUNTERS);
}
