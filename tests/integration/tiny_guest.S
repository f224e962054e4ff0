/*
 * A guest of a few hundred bytes for tests of starting and stopping: a multiboot image. It writes a
 * line to the serial console, then one dot a tick (about 18 a second), and shuts down when the power
 * button is pressed. Words of its command line: "tiny=off" shuts down after 20 ticks, "tiny=crash" says
 * that it panicked, "tiny=deaf" ignores the button.
 */
#define BASE 0x100000
#define AT(label) (BASE + (label) - start)
#define STACK 0x208000
#define SERIAL 0x3f8
#define POWER_STATUS 0x600
#define POWER_ENABLE 0x602
#define POWER_CONTROL 0x604
#define POWER_BUTTON 0x100
#define PANIC 0x505
#define TICKS 20

	.section .rodata
	.global tiny_guest, tiny_guest_end
	.balign 16
tiny_guest:
start:
	.long 0x1badb002, 0x00010000, -(0x1badb002 + 0x00010000)
	.long BASE, BASE, 0, 0, AT(entry)
	.balign 8
gdt:	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word 23
	.long AT(gdt)
idt_pointer:
	.word 33 * 8 - 1
	.long AT(idt)
	.balign 8
idt:	.fill 33 * 8, 1, 0
hello:	.asciz "tiny guest\n"

	.code32
entry:
	cli
	cld
	mov $STACK, %esp
	lgdt AT(gdt_pointer)
	ljmp $8, $AT(1f)
1:	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss

	/* what it is to do: the letter behind "tiny=" */
	xor %ebp, %ebp
	testb $4, (%ebx)
	jz no_line
	mov 16(%ebx), %esi
1:	cmpb $0, (%esi)
	je no_line
	cmpl $0x796e6974, (%esi) /* "tiny" */
	jne 2f
	cmpb $'=', 4(%esi)
	jne 2f
	movzbl 5(%esi), %ebp
2:	inc %esi
	jmp 1b
no_line:
	mov $AT(hello), %esi
1:	lodsb
	test %al, %al
	jz 2f
	call put
	jmp 1b
2:	mov $POWER_ENABLE, %edx
	mov $POWER_BUTTON, %eax
	out %ax, %dx

	/* the timer, and no other interrupt */
	mov $AT(on_timer), %eax
	mov %ax, AT(idt) + 32 * 8
	movw $8, AT(idt) + 32 * 8 + 2
	movw $0x8e00, AT(idt) + 32 * 8 + 4
	shr $16, %eax
	mov %ax, AT(idt) + 32 * 8 + 6
	lidt AT(idt_pointer)
	mov $AT(controller), %esi
1:	lodsw
	test %ax, %ax
	jz 2f
	movzbl %ah, %edx
	out %al, %dx
	jmp 1b
2:	xor %edi, %edi

tick:
	sti
	hlt
	cli
	mov $'.', %al
	call put
	inc %edi
	cmp $TICKS, %edi
	jb 1f
	cmp $'o', %ebp
	je off
	cmp $'c', %ebp
	je crash
1:	cmp $'d', %ebp
	je tick
	mov $POWER_STATUS, %edx
	in %dx, %ax
	test $POWER_BUTTON, %ax
	jz tick
off:
	mov $POWER_CONTROL, %edx
	mov $0x2000, %eax
	out %ax, %dx
	jmp tick
crash:
	mov $PANIC, %edx
	mov $1, %al
	out %al, %dx
	jmp tick

put:
	mov $SERIAL, %edx
	out %al, %dx
	ret
on_timer:
	push %eax
	mov $0x20, %al
	out %al, $0x20
	pop %eax
	iret
controller:
	.byte 0x11, 0x20, 0x11, 0xa0, 32, 0x21, 40, 0xa1, 4, 0x21, 2, 0xa1, 1, 0x21, 1, 0xa1
	.byte 0xfe, 0x21, 0xff, 0xa1, 0, 0
tiny_guest_end:

	.section .note.GNU-stack, "", @progbits
