# Volumes: part of the core of qubesd, and of everything that reads a store.
storage-src := $(addprefix qubesd/,domain_storage.c domain_volumes.c) $(addprefix qubesd/storage/, \
	claims.c copy.c driver.c driver_file.c driver_kernel.c storage.c volume.c volume_decode.c)
qubesd-core.src += $(storage-src)
fuzz_admin_request.src += $(storage-src)
fuzz_store.src += $(storage-src)

integration += volumes
