/* hide_isa.c: a library to preload, under which CPUID does not tell of AMX (LASTBIT_ISA=vnni), nor of anything beyond AVX2
   (LASTBIT_ISA=avx2). For timing a runtime that picks its kernels by CPUID on the instruction set that another processor has; needs Linux.
   Where the processor has CPUID faulting, CPUID faults; where it has not, a copy of the runtime is run in which every CPUID is UD0
   (compare.py makes it). Built by compare.py. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static int avx2, patched;

static long cpuid_allowed(int yes) { return patched ? 0 : syscall(SYS_arch_prctl, 0x1012 /* ARCH_SET_CPUID */, yes); }

static void faulted(int number, siginfo_t* info, void* context) {
  (void)info;
  greg_t* r = ((ucontext_t*)context)->uc_mcontext.gregs;
  const uint8_t* at = (const uint8_t*)r[REG_RIP];
  if (at[0] != 0x0F || at[1] != (patched ? 0xFF /* UD0 */ : 0xA2)) {
    signal(number, SIG_DFL);
    return;
  }
  uint32_t leaf = (uint32_t)r[REG_RAX], sub = (uint32_t)r[REG_RCX], a, b, c, d;
  cpuid_allowed(1);
  __cpuid_count(leaf, sub, a, b, c, d);
  cpuid_allowed(0);
  if (leaf == 7 && sub == 0) {
    d &= ~(1u << 22 | 1u << 24 | 1u << 25); /* AMX */
  }
  if (leaf == 7 && sub == 0 && avx2) {
    b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
    c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
    d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 23);
  }
  if (leaf == 7 && sub == 1 && avx2) a = b = c = d = 0; /* AVX-VNNI, AVX512-BF16, AMX-FP16 */
  r[REG_RAX] = a, r[REG_RBX] = b, r[REG_RCX] = c, r[REG_RDX] = d;
  r[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
  const char* isa = getenv("LASTBIT_ISA");
  avx2 = isa && strcmp(isa, "avx2") == 0;
  patched = getenv("LASTBIT_PATCHED") != NULL;
  struct sigaction action = {0};
  action.sa_sigaction = faulted;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(patched ? SIGILL : SIGSEGV, &action, NULL);
  if (cpuid_allowed(0) != 0) {
    fputs("hide_isa: this processor or kernel cannot hide what it is\n", stderr);
    exit(3);
  }
}
