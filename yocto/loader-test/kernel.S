// Stands in for the kernel of a system: tells on the serial console of a Raspberry Pi 3 which arguments it was started with, and
// starts the board anew, as a system does that panics. With the header that U-Boot asks for (Documentation/arm64/booting.rst).
    b       start
    .word   0
    .quad   0                   // where in 2 MiB it wants to lie
    .quad   4096                // its size
    .quad   0xa                 // little endian, pages of 4 KiB, anywhere in memory
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .word   0

start:                          // x0: the device tree, in which U-Boot has laid the arguments
    movz    x1, #0x3f21, lsl #16    // the serial console
    movk    x1, #0x5040
    movz    w2, #0x6f6f             // "oot=", the bytes of a word from the lowest on
    movk    w2, #0x3d74, lsl #16
    mov     w4, #0
search:
    ldrb    w3, [x0], #1
    lsr     w4, w4, #8
    orr     w4, w4, w3, lsl #24
    cmp     w4, w2
    b.ne    search
    sub     x0, x0, #5
tell:
    ldrb    w3, [x0], #1
    cbz     w3, told
    strb    w3, [x1]
    b       tell
told:
    mov     w3, #10
    strb    w3, [x1]
    movz    x1, #0x3f10, lsl #16    // the watchdog: bites at once, and resets all
    movz    w2, #0x5a00, lsl #16
    orr     w3, w2, #1
    str     w3, [x1, #0x24]
    orr     w3, w2, #0x20
    str     w3, [x1, #0x1c]
    b       .
