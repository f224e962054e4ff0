# Volumes: part of the core of qubesd, and of everything that reads a store.
storage-src := $(addprefix qubesd/,domain_storage.c domain_volumes.c) $(addprefix qubesd/storage/, \
	claims.c copy.c driver.c driver_file.c driver_kernel.c files.c import_lock.c storage.c volume.c volume_decode.c)
qubesd-core.src += $(storage-src)
fuzz_admin_request.src += $(storage-src)
fuzz_store.src += $(storage-src)

integration += storage_drivers volumes

# What changes the disk passes through the test, which kills in between.
tests += test_storage
test_storage.src := tests/unit/test_storage.c \
	$(addprefix qubesd/storage/,copy.c driver.c driver_file.c driver_kernel.c files.c)
test_storage.libs := shared
test_storage.pkgs := cmocka glib-2.0
test_storage.ldlibs := $(foreach f,rename link unlink ftruncate fsync copy_content_unless copy_file_range,-Wl,--wrap=$(f))

tests += test_storage_threads
test_storage_threads.src := tests/unit/test_storage_threads.c tests/unit/lifecycle_double.c
test_storage_threads.libs := qubesd-core shared
test_storage_threads.pkgs := cmocka

tests += test_volume
test_volume.src := tests/unit/test_volume.c tests/unit/lifecycle_double.c
test_volume.libs := qubesd-core shared
test_volume.pkgs := cmocka

# Every decoder of what callers say of volumes and pools.
fuzzers += fuzz_volume
fuzz_volume.src := tests/fuzz/fuzz_volume.c $(addprefix qubesd/, \
	admin_error.c grammar.c pool.c pool_decode.c) $(addprefix qubesd/storage/, \
	copy.c driver.c driver_file.c driver_kernel.c files.c import_lock.c volume.c volume_decode.c)
fuzz_volume.libs := shared

testtools += bench_storage
bench_storage.src := tests/bench/bench_storage.c \
	$(addprefix qubesd/storage/,copy.c driver.c driver_file.c driver_kernel.c files.c)
bench_storage.libs := shared
bench_storage.pkgs := glib-2.0

tests += test_lifecycle_disks
test_lifecycle_disks.src := tests/unit/test_lifecycle_disks.c $(filter-out tests/unit/test_lifecycle.c,$(test_lifecycle.src))
test_lifecycle_disks.libs := $(test_lifecycle.libs)
test_lifecycle_disks.pkgs := $(test_lifecycle.pkgs)
