// What keeps a tenant's account from being misused: where it sends to, how much it may spend, how fast a number range may grow.

/** Every country, where a tenant says so itself. */
export const anywhere = "*";

/** A tenant's own limits against misuse. */
export type AbuseLimits = {
	/** Countries that it sends to, ISO 3166-1, or `anywhere`. Nothing goes to any other. */
	destinations: string[];
	/** By country, or by `anywhere` for all of them together. */
	budgets?: Record<string, Budget>;
	velocity?: VelocityLimit;
};

/** What may be spent within a day and a month of UTC; what is absent limits nothing. */
export type Budget = { day?: Amounts; month?: Amounts };
/** `cost`: in the currency of the send queues' prices. */
export type Amounts = { segments?: number; cost?: number };

/**
 * So many messages may be accepted to numbers that share a country and their first four digits, within any such time.
 * `monitor` decides and lets go on what `enforce` would refuse. `exempt`: country, or country and up to four digits as in
 * `DE:1512`, → until when an operator has it passed, epoch milliseconds; 0 for good.
 */
export type VelocityLimit = {
	messagesMax: number;
	windowSeconds: number;
	mode: "monitor" | "enforce";
	exempt?: Record<string, number>;
};

/** Of a tenant that has said nothing of it. */
export const velocityDefault: VelocityLimit = { messagesMax: 300, windowSeconds: 600, mode: "monitor" };

export const abuseReasons = [
	"DESTINATION_NOT_ALLOWED",
	"PREFIX_VELOCITY",
	"BUDGET_EXHAUSTED",
	"PRICE_UNKNOWN",
] as const;

/**
 * What one check said of one message. `noted`: it would have been refused, were the check not only watching. `seen`
 * counts the message itself.
 */
export type AbuseVerdict = {
	check: "destination" | "velocity" | "budget";
	verdict: "passed" | "noted" | "refused";
	reason?: (typeof abuseReasons)[number] | undefined;
	country: string;
	/** Of a budget, what it counts. */
	unit?: "segments" | "cost" | undefined;
	period?: "day" | "month" | undefined;
	/** Of a budget for all countries. */
	everywhere?: boolean | undefined;
	windowSeconds?: number | undefined;
	limit?: number | undefined;
	seen?: number | undefined;
};

/** What a message takes of its tenant's budgets; given back once it is over and was surely not sent. */
export type Charge = {
	/** Epoch milliseconds; the day and month of UTC that it counts in. */
	at: number;
	segments: number;
	/** Millionths of the currency. */
	costMicros: number;
};

const micros = 1_000_000;

// What is finer than a millionth is rounded so that never too little is charged and never too much spent; what binary
// fractions add or take away (1.1 × 10⁶ = 1100000.0000000002) is none of the amount.
function toMicros(amount: number): number {
	return Number((amount * micros).toFixed(3));
}

/** @param price of a segment */
export function chargeOf(at: number, segments: number, price: number | undefined): Charge {
	return { at, segments, costMicros: Math.ceil(toMicros(price ?? 0)) * segments };
}

/** A tenant that names none, as one made by an older version, sends nowhere. */
export function isDestination({ destinations = [] }: Partial<AbuseLimits>, country: string): boolean {
	return destinations.includes(country) || destinations.includes(anywhere);
}

/** Whether a budget that binds this country counts money. */
export function countsCost({ budgets = {} }: Pick<AbuseLimits, "budgets">, country: string): boolean {
	const binding = [budgets[country], budgets[anywhere]].flatMap((budget) => [budget?.day, budget?.month]);
	return binding.some((amounts) => amounts?.cost !== undefined);
}

/** @param prefix a country and four digits, as in `DE:1512` */
export function isExempt({ exempt = {} }: VelocityLimit, prefix: string, now: number): boolean {
	return Object.entries(exempt).some(([start, until]) => prefix.startsWith(start) && (until === 0 || now < until));
}

/** One counter of a tenant's spending, and what it may reach; in segments, or in millionths of the currency. */
export type Counter = {
	/** Where it is kept, below a tenant's month. */
	path: string;
	country: string;
	period: "day" | "month";
	unit: "segments" | "cost";
	/** What the message adds. */
	adds: number;
	limit?: number;
};

/** Every counter that a charge adds to: by day and month, of its country and of all, in segments and in money. */
export function countersOf(charge: Charge, country: string, budgets: AbuseLimits["budgets"] = {}): Counter[] {
	const day = new Date(charge.at).getUTCDate();
	return [country, anywhere].flatMap((of) =>
		(["day", "month"] as const).flatMap((period) =>
			(["segments", "cost"] as const).map((unit) => {
				const limit = budgets[of]?.[period]?.[unit];
				const most = limit === undefined || unit === "segments" ? limit : Math.floor(toMicros(limit));
				return {
					path: `${of === anywhere ? "all" : of}.${period === "day" ? `day${day}` : "month"}.${unit}`,
					country: of,
					period,
					unit,
					adds: unit === "cost" ? charge.costMicros : charge.segments,
					...(most === undefined ? {} : { limit: most }),
				};
			}),
		),
	);
}

/** What a counter that has no room for a message says of it. @param seen what it stands at, without the message */
export function refusedBy({ country, period, unit, adds, limit = 0 }: Counter, seen: number, to: string): AbuseVerdict {
	const scale = unit === "cost" ? micros : 1;
	return {
		...{ check: "budget", verdict: "refused", reason: "BUDGET_EXHAUSTED" },
		country: to,
		...{ unit, period },
		...(country === anywhere ? { everywhere: true } : {}),
		limit: limit / scale,
		seen: (seen + adds) / scale,
	};
}

/** Milliseconds until a counter begins anew. */
export function endsInMs(period: "day" | "month", now: number): number {
	const at = new Date(now);
	const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
	return (period === "day" ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1)) - now;
}
