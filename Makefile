# A thin front: every target forwards to CMake, CTest or the program that was built.
BUILD  := build
CMAKE  := cmake
MAKEFLAGS += --no-print-directory
JOBS   := $(shell nproc 2>/dev/null || echo 2)

.PHONY: all liballocator.a test bench bench-long bench-ratios bench-sampling valgrind valgrind-bench sanitize soak clean help

all: configure
	@$(CMAKE) --build $(BUILD) --parallel $(JOBS)

.PHONY: configure
configure:
	@.ci/ensure-packages build
	@$(CMAKE) --preset release >$(BUILD).log 2>&1 || { cat $(BUILD).log >&2; rm -f $(BUILD).log; exit 3; }
	@rm -f $(BUILD).log

liballocator.a: configure
	@$(CMAKE) --build $(BUILD) --parallel $(JOBS) --target allocator

test:
	@.ci/ensure-packages build test
	@$(MAKE) --no-print-directory all
	@ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS)

bench:
	@.ci/ensure-packages build bench
	@$(MAKE) --no-print-directory all
	@$(BUILD)/heaplab bench -o results/latest

bench-long:
	@.ci/ensure-packages build bench
	@$(MAKE) --no-print-directory all
	@$(BUILD)/heaplab bench --long -o results/long

bench-ratios:
	@.ci/ensure-packages build bench
	@$(MAKE) --no-print-directory all
	@$(CMAKE) --build $(BUILD) --target bench-ratios

bench-sampling: all
	@$(CMAKE) --build $(BUILD) --target bench-sampling

valgrind: all
	@ctest --test-dir $(BUILD) --output-on-failure -L valgrind

valgrind-bench: all
	@$(CMAKE) --build $(BUILD) --target valgrind-bench

# At fixed addresses: of random ones some of the ranges of 512 GiB that the allocator reserves lie where ThreadSanitizer allows none.
sanitize:
	@.ci/ensure-packages build test
	@for preset in asan tsan; do \
		$(CMAKE) --preset $$preset && $(CMAKE) --build --preset $$preset --parallel $(JOBS) && \
		setarch -R ctest --preset $$preset --parallel $(JOBS) --timeout 200 -R '^allocator\.' || exit 1; \
	done

# Twice as many at a time as there are processors: threads meet otherwise than on an idle machine.
ROUNDS := 20
soak:
	@.ci/ensure-packages build test
	@$(MAKE) --no-print-directory all
	@ctest --test-dir $(BUILD) --output-on-failure --parallel $$((2 * $(JOBS))) \
		--repeat until-fail:$(ROUNDS) -R '^allocator\.test_'

clean:
	@rm -rf build build-dev build-asan build-tsan

help:
	@echo "make                 build/heaplab, build/liballocator.a, build/liballocator.so"
	@echo "make liballocator.a  the allocator's static library alone"
	@echo "make test            every test (installs missing Debian packages first)"
	@echo "make bench           the shipped traces and workloads on every allocator -> results/latest/"
	@echo "make bench-long      a billion events as of long-running servers: does memory grow? -> results/long/"
	@echo "make bench-ratios    liballocator's time and memory as ratios to each other allocator (PEERS=LIB.so,... for more)"
	@echo "make bench-sampling  what the sampling of memory does to the time of the sampled run"
	@echo "make valgrind        memcheck on the allocator's tests"
	@echo "make valgrind-bench  memcheck on replays of a short workload"
	@echo "make sanitize        the allocator's tests with AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer"
	@echo "make soak            the allocator's tests over and over on a busy machine (ROUNDS=20, a quarter of an hour)"
	@echo "make clean           remove the build folders"
