/*
 * saved_image - the head of a file that libvirt has saved a QEMU machine to, and the same for a
 * machine of another identity.
 *
 * Shape:  a header of 92 bytes in the order of bytes of this machine: "LibvirtQemudSave", version 2,
 *         the length of the text, three words, of which the third says where in the text the second
 *         part begins, and 14 unused words. Then the text: the description of the machine, NUL, and
 *         perhaps libvirt's own notes, NUL, and perhaps zeros. Behind it QEMU's stream, to the end.
 * Why:    libvirt restores a machine under its own name and UUID alone, and has no call that writes
 *         others into the file. Whatever is not as above is -ENOTSUP, and then a machine boots.
 * Pure:   bytes in, bytes out. The files are made by libvirt for us.
 */
#ifndef QUBESD_SAVED_IMAGE_H
#define QUBESD_SAVED_IMAGE_H

#include "qubesd/hypervisor.h"

#define SAVED_IMAGE_TEXT_MAX (1u << 20) /* bytes; descriptions have some 10 KiB */
#define SAVED_IMAGE_HEAD_MAX (SAVED_IMAGE_TEXT_MAX + 92)

struct saved_image {
	const char *text; /* borrowed: description NUL notes NUL */
	size_t text_len;
	size_t notes_at;    /* in the text; 0: there are none */
	uint64_t stream_at; /* in the file */
};

/* The first len bytes of a file. Returns 0 or -ENOTSUP. */
int saved_image_parse(const void *bytes, size_t len, struct saved_image *ret);

/* Who a machine is; all borrowed. */
struct saved_identity {
	const char *name, *uuid, *klass;
	uint32_t xid;
	const struct hypervisor_volume *volumes; /* files; the same names as in the description */
	size_t volume_count;
	const char *port_path, *console_path;
};

/*
 * The head for a machine that is this one and otherwise the same. QEMU's stream goes behind it; it
 * lies as far from the last border of a block of 4096 as in the image, so that blocks can be shared.
 * Returns 0, or -ENOTSUP when the description is not one of domain_xml.h.
 */
int saved_image_head_new(
    const struct saved_image *image, const struct saved_identity *identity, GByteArray **ret);

#endif
