// The GSM 7-bit default alphabet and its extension table. 3GPP TS 23.038, 6.2.1.

/** In the order of their codes 0 to 127; the escape itself, 27, is not a character and is held by a NUL. */
export const gsm7Basic = [
	..."@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u0000ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?",
	..."¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
];

export const gsm7Escape = 27;

/** Character → the code that follows the escape. */
export const gsm7Extension: Record<string, number> = {
	"\f": 0x0a,
	"^": 0x14,
	"{": 0x28,
	"}": 0x29,
	"\\": 0x2f,
	"[": 0x3c,
	"~": 0x3d,
	"]": 0x3e,
	"|": 0x40,
	"€": 0x65,
};
