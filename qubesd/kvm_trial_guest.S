/*
 * The guest of the trial (kvm_trial.h): a multiboot image that does, in a fraction of a second, what an
 * operating system's kernel does all the time, and then says so. It is data to us: every address in it
 * is computed from the place where QEMU loads it.
 *
 *   memory        16 MiB are written, copied backwards in one instruction, and compared
 *   page faults   2000, each answered by a new entry in the page tables
 *   ring 3        2000 times there and back by sysret and syscall, with swapgs
 *   processor     2000 rounds of cpuid, fxsave, clts, wrmsr, rdtsc, hints (endbr64, rdsspq), CR3
 *   interrupts    20 of the timer, waited for with hlt
 */
#define BASE 0x100000
#define AT(label) (BASE + (label) - start)

#define PML4 0x200000
#define PDPT 0x201000
#define PD 0x202000
#define FXSAVE 0x203000
#define STACK 0x208000
#define SOURCE 0x1000000
#define TARGET 0x3000000
#define WORDS 0x200000 /* of 8 bytes */
#define FAULTING 0x40000000 /* the second GiB: PDPT entry 1 */

#define CODE 0x08
#define DATA 0x10
#define USER_DATA 0x1b
#define USER_CODE 0x23
#define TSS 0x28

#define EXIT_PORT 0xf4
#define EXIT_WELL 0x10 /* QEMU ends with 2 * this + 1 */
#define EXIT_WRONG 0x20

	.section .rodata
	.global kvm_trial_guest, kvm_trial_guest_end
	.balign 16
kvm_trial_guest:
start:
	.long 0x1badb002, 0x00010000, -(0x1badb002 + 0x00010000)
	.long BASE, BASE, 0, 0, AT(entry)

	.balign 8
gdt:	.quad 0
	.quad 0x00af9b000000ffff /* CODE */
	.quad 0x00cf93000000ffff /* DATA */
	.quad 0x00cff3000000ffff /* USER_DATA */
	.quad 0x00affb000000ffff /* USER_CODE */
tss_entry:
	.quad 0, 0
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long AT(gdt), 0
idt_pointer:
	.word 33 * 16 - 1
	.long AT(idt), 0
	.balign 16
idt:	.fill 33 * 16, 1, 0
	.balign 16
tss:	.fill 104, 1, 0

	.code32
entry:
	cli
	mov $STACK, %esp
	cld
	mov $PML4, %edi
	xor %eax, %eax
	mov $(0x3000 / 4), %ecx
	rep stosl
	movl $(PDPT + 7), PML4
	movl $(PD + 7), PDPT
	mov $0x87, %eax
	mov $PD, %edi
1:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	cmp $(PD + 0x1000), %edi
	jne 1b
	mov $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
	mov %eax, %cr4
	mov $PML4, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x901, %eax /* SCE, LME, NXE */
	wrmsr
	mov $0x80010033, %eax
	mov %eax, %cr0
	lgdt AT(gdt_pointer)
	ljmp $CODE, $AT(long_mode)

	.code64
long_mode:
	mov $DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $STACK, %rsp

	/* the task's only use: the stack for interrupts */
	movq $STACK, AT(tss) + 4
	mov $AT(tss), %eax
	movw $103, AT(tss_entry)
	mov %ax, AT(tss_entry) + 2
	shr $16, %eax
	mov %al, AT(tss_entry) + 4
	movb $0x89, AT(tss_entry) + 5
	mov $TSS, %eax
	ltr %ax
	mov $AT(on_wrong), %rbx
	mov $AT(idt), %rdi
	mov $33, %ecx
1:	call set_gate
	add $16, %rdi
	loop 1b
	mov $AT(on_page_fault), %rbx
	mov $(AT(idt) + 14 * 16), %rdi
	call set_gate
	mov $AT(on_timer), %rbx
	mov $(AT(idt) + 32 * 16), %rdi
	call set_gate
	lidt AT(idt_pointer)

	/* memory */
	mov $SOURCE, %rdi
	mov $WORDS, %ecx
	mov $0x123456789abcdef, %rax
	rep stosq
	mov $(SOURCE + 8 * WORDS - 8), %rsi
	mov $(TARGET + 8 * WORDS - 8), %rdi
	mov $WORDS, %ecx
	std
	rep movsq
	cld
	mov $SOURCE, %rsi
	mov $TARGET, %rdi
	mov $WORDS, %ecx
	repe cmpsq
	jne on_wrong

	/* page faults */
	mov $2000, %r12d
1:	movq $0, PDPT + 8
	mov $FAULTING, %rax
	invlpg (%rax)
	mov %cr3, %rcx
	mov %rcx, %cr3
	mov (%rax), %rdx
	dec %r12d
	jnz 1b

	/* ring 3 */
	mov $0xc0000081, %ecx /* STAR */
	xor %eax, %eax
	mov $(DATA + 3) << 16 | CODE, %edx
	wrmsr
	inc %ecx /* LSTAR */
	mov $AT(on_syscall), %eax
	xor %edx, %edx
	wrmsr
	mov $0xc0000084, %ecx /* SFMASK */
	mov $0x700, %eax
	wrmsr
	mov $2000, %r12d
to_user:
	mov $AT(user), %ecx
	mov $0x2, %r11d
	swapgs
	sysretq
user:
	fnop
	syscall
	ud2
on_syscall:
	swapgs
	dec %r12d
	jnz to_user

	/* processor */
	mov $2000, %r12d
1:	xor %eax, %eax
	cpuid
	fxsave FXSAVE
	fxrstor FXSAVE
	mov %cr0, %rax
	or $8, %rax
	mov %rax, %cr0
	clts
	mov $0xc0000100, %ecx /* FS_BASE */
	mov %r12d, %eax
	xor %edx, %edx
	wrmsr
	rdmsr
	cmp %r12d, %eax
	jne on_wrong
	rdtsc
	endbr64
	.byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8 /* rdsspq %rax */
	pushfq
	popfq
	mov %cr3, %rax
	mov %rax, %cr3
	dec %r12d
	jnz 1b
	wbinvd

	/* interrupts: both controllers to 32 and on, all quiet but the timer, at 1000 Hz */
	mov $AT(controller), %rsi
1:	lodsw
	test %ax, %ax
	jz 2f
	movzbl %ah, %edx
	out %al, %dx
	jmp 1b
2:	xor %r13d, %r13d
3:	sti
	hlt
	cli
	cmp $20, %r13d
	jb 3b

	mov $EXIT_WELL, %eax
	out %eax, $EXIT_PORT
on_wrong:
	mov $EXIT_WRONG, %eax
	out %eax, $EXIT_PORT
1:	hlt
	jmp 1b

	/* pairs of value and port */
controller:
	.byte 0x11, 0x20, 0x11, 0xa0, 32, 0x21, 40, 0xa1, 4, 0x21, 2, 0xa1, 1, 0x21, 1, 0xa1
	.byte 0xfe, 0x21, 0xff, 0xa1
	.byte 0x34, 0x43, 0xa9, 0x40, 0x04, 0x40, 0, 0

set_gate:
	mov %rbx, %rax
	mov %ax, (%rdi)
	movw $CODE, 2(%rdi)
	movw $0x8e00, 4(%rdi)
	shr $16, %rax
	mov %ax, 6(%rdi)
	movq $0, 8(%rdi)
	ret
on_page_fault:
	movq $(PD + 7), PDPT + 8
	add $8, %rsp
	iretq
on_timer:
	inc %r13d
	push %rax
	mov $0x20, %al
	out %al, $0x20
	pop %rax
	iretq
kvm_trial_guest_end:

	.section .note.GNU-stack, "", @progbits
