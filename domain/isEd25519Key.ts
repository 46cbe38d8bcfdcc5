// Which 32 bytes are an Ed25519 public key (RFC 8032, 5.1): libraries take any, and some then let everybody sign for it.

const fieldPrime = 2n ** 255n - 19n;
// RFC 8032, 5.1: of the curve -x² + y² = 1 + d·x²·y².
const d = mod(-121665n * power(121666n, fieldPrime - 2n));
const keyBytes = 32;

/**
 * Whether it is a point of the curve, as it must be written, and none of small order: by such a one, signatures hold that
 * anybody can make.
 */
export function isEd25519Key(bytes: Uint8Array): boolean {
	if (bytes.length !== keyBytes) return false;
	const number = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
	// The highest bit says which of the two x it is.
	const y = number & (2n ** 255n - 1n);
	const y2 = mod(y * y);
	// x² = dividend / divisor, which is never zero.
	const [dividend, divisor] = [mod(y2 - 1n), mod(d * y2 + 1n)];
	// Of order 1 and 2: x is 0. Of order 4: y is 0. Of order 8: doubled they are of order 4, so x² = -y².
	const isOfSmallOrder = dividend === 0n || y === 0n || mod(dividend + y2 * divisor) === 0n;
	return y < fieldPrime && !isOfSmallOrder && isSquare(dividend * divisor);
}

/** Euler's criterion; a fraction is a square where the product of its two parts is. */
function isSquare(number: bigint): boolean {
	return power(number, (fieldPrime - 1n) / 2n) === 1n;
}

function power(base: bigint, exponent: bigint): bigint {
	let [product, square] = [1n, mod(base)];
	for (let rest = exponent; rest > 0n; rest >>= 1n) {
		if (rest & 1n) product = mod(product * square);
		square = mod(square * square);
	}
	return product;
}

function mod(number: bigint): bigint {
	return ((number % fieldPrime) + fieldPrime) % fieldPrime;
}
