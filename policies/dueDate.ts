// Clocks that a law sets: so many days, months, or business days from a date.

import { Temporal } from "temporal-polyfill";
import { isHoliday } from "./holidays.ts";

/** An ISO 8601 duration, or business days with the public holidays of a country left out. */
export type Within = string | { businessDays: number; calendar?: string | undefined };

/** The last day on which it is in time. @param from the day on which the clock starts, ISO 8601; it is not counted */
export function dueDate(from: string, within: Within): string {
	const start = Temporal.PlainDate.from(from);
	if (typeof within === "string") {
		const { years, months, weeks, days } = Temporal.Duration.from(within);
		return start.add({ years, months, weeks, days }).toString();
	}
	let day = start;
	for (let left = within.businessDays; left > 0; ) {
		day = day.add({ days: 1 });
		if (isBusinessDay(day, within.calendar)) left -= 1;
	}
	return day.toString();
}

/** The last day after an extension. Months are added in one go: 31 January and P1M and P2M is 30 April, not 28. */
export function extendedDate(from: string, within: Within, by: Within): string {
	if (typeof within !== "string" || typeof by !== "string") return dueDate(dueDate(from, within), by);
	const [first, second] = [Temporal.Duration.from(within), Temporal.Duration.from(by)];
	const { years, months, weeks, days } = first;
	const sum = {
		years: years + second.years,
		months: months + second.months,
		weeks: weeks + second.weeks,
		days: days + second.days,
	};
	return Temporal.PlainDate.from(from).add(sum).toString();
}

function isBusinessDay(day: Temporal.PlainDate, calendar: string | undefined): boolean {
	if (day.dayOfWeek > 5) return false;
	const epochDay = Date.UTC(day.year, day.month - 1, day.day) / 86_400_000;
	return calendar === undefined || !isHoliday(calendar, epochDay);
}
