// A message's entries as the store keeps them: a line each, without what their bundle says too or what follows from the rest.

import { type Act, type Bundle, saidOf } from "../../domain/evidence.ts";
import { deriveId } from "../deriveId.ts";

type Filed = Pick<Bundle, "about" | "tenants" | "at">;

// As canonical JSON has an entry that a message's document carried. Any other stands as it is: it begins with a brace.
const carried =
	/^\{"about":"(?<about>msg_\w+)","at":"(?<at>[^"]+)",(?:"attempt":(?<attempt>0|[1-9]\d{0,5}),)?(?:"by":"(?<by>[\w.:+@-]+)",)?(?:"code":"(?<code>[\w.:+@-]+)",)?"id":"(?<id>ev_\w+)","tenantId":"(?<tenantId>ten_\w+)","type":"(?<type>\w+)"\}$/;

// An entry beyond them stands as it is.
const placesTried = 64;

/**
 * The entries, as short as `lengthenEntries` needs them. A short one: places of its message and of its tenant among the
 * bundle's, milliseconds since the one before it, its place on its message's document, from which with the rest its id
 * follows, type, code, attempt and who acted; what is absent is empty.
 */
export function shortenEntries(entries: readonly string[], { about, tenants, at: filedAt }: Filed): string[] {
	const next = new Map<string, number>();
	let before = filedAt;
	return entries.map((text) => {
		const { groups: said } = carried.exec(text) ?? {};
		if (!said) return text;
		const { about: message = "", tenantId = "", at: time = "" } = said;
		const at = Date.parse(time);
		const places = [about.indexOf(message), tenants.indexOf(tenantId)];
		if (places.includes(-1) || Number.isNaN(at) || new Date(at).toISOString() !== time) return text;
		const place = findPlace(said, at, next.get(message) ?? 0);
		if (place === undefined) return text;
		next.set(message, place + 1);
		const line = [...places, at - before, place, said.type, said.code, said.attempt, said.by];
		before = at;
		return line.join(" ");
	});
}

/** The entries as they were hashed; older ones were not shortened. */
export function lengthenEntries(shortened: readonly string[], { about, tenants, at: filedAt }: Filed): string[] {
	let at = filedAt;
	return shortened.map((line) => {
		if (line.startsWith("{")) return line;
		const [message = "", tenant = "", later, place, type = "", code, attempt, by] = line.split(" ");
		at += Number(later);
		const said = { about: about[Number(message)], type, code, attempt, by };
		const optional = [
			attempt ? `"attempt":${attempt},` : "",
			by ? `"by":"${by}",` : "",
			code ? `"code":"${code}",` : "",
		].join("");
		const time = new Date(at).toISOString();
		const id = idOf(said, at, Number(place));
		return `{"about":"${said.about}","at":"${time}",${optional}"id":"${id}","tenantId":"${tenants[Number(tenant)]}","type":"${type}"}`;
	});
}

type Said = { [name: string]: string | undefined };

/** @param likely where it stands if it follows the one before it */
function findPlace(said: Said, at: number, likely: number): number | undefined {
	if (idOf(said, at, likely) === said.id) return likely;
	const places = [...Array(placesTried).keys()];
	return places.find((place) => idOf(said, at, place) === said.id);
}

function idOf(said: Said, at: number, place: number): string {
	return deriveId("evidence", saidOf(said as unknown as Act, at, place));
}
