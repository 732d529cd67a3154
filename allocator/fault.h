/* The end of a process whose heap is not what it should be. */
#ifndef ALLOCATOR_FAULT_H
#define ALLOCATOR_FAULT_H

/* Writes "liballocator: WHAT at 0xADDRESS" to standard error and aborts.  Needs no memory. */
_Noreturn void fault_die(const char *what, const void *address);

#endif
