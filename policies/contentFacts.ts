// What may be recorded of a text: whether it is a keyword such as STOP, whether it holds a card number, and whether it begins
// with the label of an advertisement. Never the text.

import type { Facts } from "../domain/decision.ts";

export type ContentFacts = {
	keywordClass?: "stop" | "start" | "help";
	/** Of an opt-out: from everything, in so many words. */
	revokesAll?: true;
	cardNumber: boolean;
	adLabel: boolean;
};

/** Judges a text in memory. */
export function contentFacts(text: string): ContentFacts {
	const keywordClass = classify(text);
	return {
		...(keywordClass ? { keywordClass } : {}),
		...(keywordClass === "stop" && revokesAll(text) ? { revokesAll: true } : {}),
		cardNumber: hasCardNumber(text),
		adLabel: hasAdLabel(text),
	};
}

/** The facts as they may be stored: a body gives way to what is recorded of it. The input is not changed. */
export function recordableFacts(facts: Facts): Facts {
	const { body, ...context } = facts.context ?? {};
	if (typeof body !== "string") return facts;
	return { ...facts, context: { ...context, ...contentFacts(body) } };
}

// 47 CFR 64.1200(a)(10) names the English ones and asks for any reasonable means; the others are how people say it.
const stopWords = new Set(
	[
		...["stop", "stopall", "quit", "end", "revoke", "optout", "cancel", "unsubscribe", "unsub", "remove"],
		...[
			"st0p",
			"stop2end",
			"unsuscribe",
			"unsubcribe",
			"cease",
			"desist",
			"ceaseanddesist",
			"discontinue",
			"goaway",
			"nomore",
		],
		...["stopp", "abmelden", "abbestellen", "widerruf", "widerrufen", "austragen", "aufhören", "aufhoeren"],
		...["arret", "arreter", "arretez", "desabonner", "desinscription", "desinscrire", "resiliation"],
		...[
			"alto",
			"baja",
			"parar",
			"detener",
			"detenga",
			"cancelar",
			"sair",
			"descadastrar",
			"annulla",
			"cancella",
			"disiscrivi",
			"basta",
			"smettetela",
			"desuscribir",
			"desuscribirme",
			"darse de baja",
			"dar de baja",
		],
		...[
			"halt",
			"afmelden",
			"uitschrijven",
			"avsluta",
			"avregistrera",
			"frameld",
			"afmeld",
			"peru",
			"lopeta",
			"rezygnuje",
		],
		// The other languages of the Union and of the countries whose packs are shipped, in the letters that they are written in.
		...["стоп", "отказ", "отписване", "отписаться", "στοπ", "διακοπή", "διαγραφή", "dezabonare", "dezaboneaza"],
		...["leiratkozás", "leiratkozom", "odhlásit", "odhlásiť", "odjava", "odjavi", "wypisz", "wypisuję", "atteikties"],
		...["atsisakau", "atsisakyti", "loobun", "ieqaf", "avmeld", "pare", "remover", "disiscrivimi"],
		...[
			"stop pub",
			"cancelar suscripción",
			"wypisz mnie",
			"désabonnement",
			"stoppen",
			"abmeldung",
			"berhenti",
			"band karo",
			"mat bhejo",
			"नहीं चाहिए",
			"बंद करें",
			"बंद करो",
			"बंद कर दो",
			"रोकें",
			"रोको",
		],
		...[
			"நிறுத்து",
			"退订",
			"退訂",
			"停止",
			"取消",
			"取消订阅",
			"取消訂閱",
			"수신거부",
			"توقف",
			"إيقاف",
			"إلغاء",
			"إلغاء الاشتراك",
			"הסר",
			"הסירו",
			"הסר אותי",
		],
	].map(wordOf),
);
// Names of places, or of other things, among other words: they count as the whole text alone.
// "Pare" is a father in Catalan, "отказ" what a bank says, "διακοπή" a power cut, "توقف" that something has stopped.
const stopWordsAlone = new Set(
	["alto", "baja", "end", "halt", "peru", "pare", "remover", "wypisz", "отказ", "διακοπή", "توقف"].map(wordOf),
);
// Words that ask for messages again and mean nothing else: a yes may answer any question.
const startWords = new Set(["start", "unstop", "subscribe", "resume", "optin"]);
const helpWords = new Set(
	[
		...["help", "info", "aide", "hilfe", "ayuda", "ajuda", "aiuto", "hulp", "hjälp", "hjelp", "hjælp", "apua", "pomoc"],
		...["ajutor", "segítség", "помощ", "помощь", "βοήθεια", "मदद", "帮助", "幫助", "도움말", "مساعدة", "עזרה"],
	].map(wordOf),
);

// Words that do not change what is asked for: who asks politely asks the same, in the languages of the words above.
const fillers = new Set(
	[
		"yes ok okay hi hello hey please pls plz thanks thank you thx now all me it bitte danke svp merci por favor gracias",
		"per favore grazie obrigado obrigada aub alsjeblieft alstublieft bedankt tack tak takk kiitos proszę dziękuję prosím",
		"děkuji ďakujem kérem köszönöm molim hvala vă rog mulțumesc palun aitäh tänan lūdzu paldies prašau ačiū",
		"моля благодаря пожалуйста спасибо παρακαλώ ευχαριστώ कृपया धन्यवाद בבקשה תודה شكرا",
	].flatMap(toWords),
);

const list = "((calling|call|contact|mailing|marketing|messaging|sms|text|texting|spam) )?(list|lists|database|system)";
const any = "(of |all |any |the |this |that |these |those |your )*";
const number = "(cell |mobile |phone |telephone )?(number|phone|name)";
const messages =
	"(texts?|texting|txts?|txting|messages?|messaging|msgs?|sms|marketing|promos?|ads|contact|communications?)";

const suyos = "((mas|de|sus|tus|los|las|la|mi|mis|estos|estas|esos|esas) )*";
const mensajes = "(mensajes?|textos?|sms|notificaciones|promociones|publicidad|anuncios|ofertas)";
const mensagens = "((suas|essas|estas|as) )*(mensage(m|ns)|sms|notificacoes|promocoes|publicidade|anuncios|ofertas)";
const messaggi = "(messaggi|sms|pubblicita|promozioni|offerte)";

const keine = "keine (\\w+ )?(sms|nachrichten|werbung)";
const geen = "geen (sms|sms jes|smsjes|berichten|berichtjes|reclame)";
const veux = "(veux|voulons|voudrais|voudrions|souhaite|souhaitons|desire|desirons)";

// A "stop" with an article or a vehicle in front is where a bus halts.
const halts = "(?<!\\b(bus|tram|train|the|my|your|next|last|which) )";
const waiting = "(?!( from| off| of)* (the |your |this |that )?(wait|waiting|waitlist|guest|standby)\\b)";
const stopPhrases = [
	"opt(ing)? (me )?out",
	"unsubscribe",
	"stop (all|everything|texting|txting|sending|messaging|contacting|calling|these|this|the|your|any|it|me|sms|marketing)",
	`${halts}stop (promo|promotion|text|txt|message|msg|notification|alert|reminder|update|newsletter|email|offer|deal|coupon|ad)s?`,
	"stop (spamming|bothering|harassing|receiving|getting|2|to end|to opt out|to cancel|to quit|to unsubscribe)",
	"(cancel|end|quit|cease|discontinue|halt) (all |the |these |your |my |any |further )?(texts?|messages?|msgs?|sms|texting|sending|messaging|contacting|calling)",
	`((remove|delete) (me|my (number|phone))|take me off)${waiting}`,
	`(take|get|remove|delete) (me|us|(my|our|this) ${number}) (off|from|out of) ${any}${list}`,
	`(remove|delete) (this number(?! from (my|our|the|his|her)\\b)|from ${any}${list}(?! (my|our|the|an?|his|her)\\b))`,
	"leave me alone",
	"(revoke|withdraw|rescind|cancel|end) ((my|our|all|any|prior|previous|express) )*(consent|permission|subscription)",
];
// In the other languages, in which another "no" turns the meaning.
const stopPhrasesElsewhere = [
	"(losch|loesch)(e|t|en)( sie)? (bitte )?(meine|diese) (handy|telefon|mobil|ruf)?nummer(?!( bitte| noch)* nicht)",
	"arrete[zr]? (de |d )?(m|me|nous) (envoyer|ecrire|contacter|harceler|solliciter|spammer)",
	"(desabonne|desabonnez|desinscris|desinscrivez) moi",
	"(veux|voudrais|souhaite|desire) me (desabonner|desinscrire)",
	"(retirez|enlevez|supprimez) moi de (votre|vos|cette|la) (listes?|fichiers?)(?! (d|de|des|du) )",
	"(darme|darnos|dame|deme|denme) de baja",
	"(quit|saca|saque|elimin|borr)\\w{0,4}me de (la|su|tu|esta|sus) listas?(?! del? )",
	"(borre|borren|borra|elimine|eliminen|elimina) (mi|este) (numero|telefono|celular)",
	`(detener|detenga|detengan|pare|paren|parar|cancelar|cancele|cancelen) ${suyos}(${mensajes}|suscripcion)`,
	"(deja|deje|dejen|dejad|para|paren|pare|parem) de (me )?(enviar|mandar|escribir|escrever)\\w*",
	"(remova|removam|retire|retirem|tire|tirem|exclua|excluam)( me)? da (sua |vossa )?lista(?! d[aeo]s? )",
	`(cancelar|cancele|cancelem) (a |minha )*(inscricao|assinatura|${mensagens})`,
];
const stopSign = "\u{1F6D1}";
// These say no by themselves; in the others a "don't" in front turns the meaning. What one does oneself ("I never
// text at work") or finds ("there are no more messages") asks for nothing.
const refusalPhrases = [
	"(?<!\\b(i|we) )(do not|dont|don t|never) (ever )?(text|message|contact|sms|send|call)",
	"(do not|dont|don t|no longer) (wish|want|like) to (get|receive|hear)",
	"(do not|dont|don t|no longer) (wish|want) ((any|more|these|those|this|your|such) )*(texts?|txts?|messages?|msgs?|sms|promos?|ads|spam)",
	"(do not|dont|don t|no longer) want (any|more|any more|these|those|this)$",
	"(?<!\\b(there (are|is|were)|are there|why|getting|got) )no more (of )?(these |those |this |your )?(texts?|txts?|messages?|sms|msgs?|promos?|ads|spam)",
	"not? interested",
	`(do not|dont|don t|no longer|never) (consent|consented|agreed) to (receive|receiving|get|getting|${any}${messages})`,
	"(?<!\\b(vous|tu) )ne (m|me|nous) (contactez|contacte|ecrivez|ecris|envoyez|envoie) plus",
	"ne plus (m|me|nous) (envoyer|ecrire|contacter|solliciter)",
	`(veux|ne ${veux}) plus (de |d |vos |aucune? )*(sms|messages?)`,
	"(?<!\\b(peux|peut|pouvons) )plus (jamais )?recevoir (de |d |vos |votre |ces |ce |aucune? |la |les )*(sms|messages?|textos?|pubs?|publicites?|promos?|offres?|mails?)",
	"lose my number",
	"wrong (number|person)(?! of )",
	`(will|wollen|mochten?|moechten?|wunschen?|wuenschen?|brauchen?|bitte|gesagt)( (ich|wir|sie|mir|uns|bitte|gar|von (ihnen|euch|dir)|ab (jetzt|sofort))){0,4} ${keine}(?!( mehr)? (verpass|versaum|verlier))`,
	"no (quiero|queremos|deseo|deseamos) (recibir mas|mas nada)",
	`(no mas|no (quiero|queremos|deseo|deseamos) (recibir )?${suyos}) ?${mensajes}`,
	// "No envié" is one who didn't send: without a "me" or a "more" it isn't asked for.
	`no ((me |nos )?((envi|mand|contact|molest)(es|en|ar)|escrib(a|as|an|ir))|((me |nos )(envi|mand|contact)|(me |nos )?molest)e) (${suyos}${mensajes}|mas( por favor| gracias)?$)`,
	`no (envi|mand)e mas ${mensajes}`,
	`nao (quero|queremos|desejo|desejamos) (mais )?(receber )?(mais )?${mensagens}`,
	"nao (quero|desejo) (mais receber|receber mais)$",
	"nao (me |nos )?(envie|enviem|mande|mandem|escreva|escrevam) mais(?! tarde)",
	`non (voglio|vogliamo|desidero) (piu )?(ricevere )?(piu |altri |altre |vostri |questi )*${messaggi}`,
	"non (inviate|mandate|scrivete|contattate)(mi|ci) piu",
	`(wil|willen|wens|wensen|hoef|hoeven|graag)( (ik|we|wij|liever|echt|van (u|jullie))){0,4} ${geen} meer(?! (te )?missen)`,
	"(sms|messages?|msgs?) (mat bhej(o|na|iye)|band kar(o|na|en|iye| do| dijiye|$))",
];
// A number is that of a line, a list or a card: who adds one to a STOP still means it.
const asking = "((kindly|can|could|would|reply|text|send|sir|(i|we) said) )";
const besideStop =
	"immediately|already|forever|asap|today|right|and|bye|sir|bro|man|spam|(mailing|service|subscription)s?|(to )?\\d+";
// Sentences that say so by being all that is said: what follows "I want to stop" may be anything. Fillers are left out.
const refusals = [
	`(i|we) (just |really )?(want|wish|need|demand|(would|d) like) ((this|that|them|everything|(the|these|those|your) ${messages}|these|those) )?to stop( (immediately|already|forever))?`,
	"(no|nope|nah) stop",
	"((guys|this|that|these|those) )?((need|needs|have|has) to|must|should) stop( (this|that|these|those|already))*",
	`((i|we) want )?no more (of )?((these|those|your) )?(offers|deals|coupons|updates|reminders|alerts|notifications|newsletters)( from| for)?( asap| immediately)?`,
	"wrong (no|num)",
	"(i|we) (have |ve |already )*(asked|told) (to stop|no)",
	"(just|make|make (this|these|that|them)) stop",
	`${asking}?stop(\\d+)?( (${besideStop}))*`,
	"(i|we) (hereby |do )?(revoke|withdraw|rescind)",
	"(i|we) (am |are |m |re )(revoking|withdrawing)( (my|our|consent|permission))*",
	"(i|we) (do not|dont|don t|no longer|never) (consent|consented)( (to )?(this|that|these|those|any of this))?",
	`(take|get) (my|our|this) ${number} off`,
	"no mas",
	`((schick|schickt|schicken sie|sende|sendet|senden sie)( (mir|uns))? |ab (jetzt|sofort) )?${keine}( mehr)?( an (mich|uns|(diese|meine) nummer))?( (schicken|senden))?`,
	`((stuur|gelieve)( mij| ons)? )?${geen} meer( (te )?sturen)?`,
	`non (mi |ci )?(inviate|mandate|scrivete|contattate) piu( ${messaggi}| niente| nulla)?`,
	"(n envoyez )?plus (de |d |aucun )(sms|messages?)",
	"(mir |mich |uns )?nicht mehr (schreiben|anschreiben|kontaktieren|schicken|senden)",
	"(schreib|schreibt|schreiben sie|kontaktiere|kontaktiert|kontaktieren sie) (mir|mich|uns) nicht mehr",
	"(hor|hoer)(t|en sie)? auf( damit| (mir|uns) zu (schreiben|schicken|senden))?",
	"(cancellatemi|disiscrivetemi|toglietemi|rimuovetemi)( dalla (vostra )?lista)?",
	`(je |nous |de )?ne (${veux} )?plus (rien )?recevoir( rien)?`,
];
// These are so only where nothing else is said at all: "cancel this, book the other one".
const refusalsAlone = [
	"no (texts?|text messages|texting|sms|ads|offers|deals|coupons)",
	"(sorry )?((this|that) )?(is )?(not|isnt|isn t) my (phone |cell |mobile )?(number|phone)",
	"cancel (this|these|those)",
	"(ya )?no (quiero|deseo) mas",
];
// Few words may stand between: missing an opt-out is worse than seeing one too many.
const negation =
	"\\b(do not|dont|don t|i (did|wo)n ?t|never|not|no need to) ((want|wish|need|mean|like|ask|asked) (you |them )?to |ever |please |even )?";
const negationElsewhere =
	"\\b(no|nunca|jamai?s|nao|non|ne|n|pas) ((quiero|queremos|quisiera|deseo|deseamos|necesito|voy a|vamos a|vayan a|gustaria|hace falta|es necesario|quero|queria|desejo|preciso|precisa|gostaria de|vou|que|me|nos|se) ){0,4}";
const refusal = new RegExp(`^(${refusals.join("|")})$`);
const refusalAlone = new RegExp(`^(${refusalsAlone.join("|")})$`);
const refusalPhrase = new RegExp(`\\b(${refusalPhrases.join("|")})\\b`);
const stopPhrase = new RegExp(
	`\\b((?<!${negation})(${stopPhrases.join("|")})|(?<!${negationElsewhere})(${stopPhrasesElsewhere.join("|")}))\\b`,
);
// An opt-out of all there is: all of the marketing, the list or the like is one program.
const revocationOfAll =
	/\b(stop|end|quit|cancel|cease|discontinue|halt|revoke|withdraw|rescind|unsubscribe|opt( me)? ?out|remove)( me)?( (my|our|any|and|from|of|out|to))* ?(all|everything)\b(?! (but|except|only|good|right|the best)\b)(?!( \w+){0,3} (marketing|promo\w*|ads?|adverts?|advertis\w*|offers?|sales?|news\w*)\b)/;

function classify(text: string): ContentFacts["keywordClass"] {
	const words = toWords(text);
	const said = withoutFillers(words);
	const bare = said.join("");
	// A keyword that is a sentence of its own is meant, whatever else is said; and a "no" before a comma denies nothing behind it.
	const sentences = text.split(/[.!?;:,\n\r]+|\s[-\u2013\u2014]+\s/).map(toWords);
	const parts = sentences.map(withoutFillers);
	const isStop = (part: string) => stopWords.has(part) && !stopWordsAlone.has(part);
	if (stopWords.has(bare) || stopWords.has(withoutRepeats(said).join(""))) return "stop";
	if (parts.some((part) => isStop(part.join("")) || isStop(withoutRepeats(part).join("")))) return "stop";
	if (words.length === 0 && text.includes(stopSign)) return "stop";
	if (refusalPhrase.test(words.join(" ")) || refusalAlone.test(said.join(" "))) return "stop";
	if (parts.some((part) => refusal.test(part.join(" ")))) return "stop";
	if ([words, ...sentences].some((sentence) => stopPhrase.test(sentence.join(" ")))) return "stop";
	if (startWords.has(bare)) return "start";
	return helpWords.has(bare) ? "help" : undefined;
}

/** What is said, as it is looked for: in one. */
function wordOf(said: string): string {
	return toWords(said).join("");
}

function withoutFillers(words: string[]): string[] {
	const others = words.filter((word) => !fillers.has(word));
	return others.length > 0 ? others : words;
}

// A word that is said again is no less meant; letters that stand apart spell one.
function withoutRepeats(words: string[]): string[] {
	return words.filter((word, index) => word.length === 1 || words.indexOf(word) === index);
}

// In one sentence: "STOP. All the best" is not from all.
function revokesAll(text: string): boolean {
	return text.split(/[.!?;\r\n]+/).some((sentence) => revocationOfAll.test(toWords(sentence).join(" ")));
}

// Letters and digits in one case, without accents and without characters that can't be seen. Where a mark is a vowel it stays:
// without those "stop it" and "wait" are one in Hindi. Who holds a key down means the word all the same, with one such letter,
// or two where it is "all".
function toWords(text: string): string[] {
	const plain = text.normalize("NFKD").replace(/(?![\p{Script=Devanagari}\p{Script=Tamil}])[\p{M}\p{Cf}]/gu, "");
	return plain
		.toLowerCase()
		.replace(/all{2,}(?!\p{L})/gu, "all")
		.replace(/(\p{L})\1{2,}/gu, "$1")
		.split(/[^\p{L}\p{N}\p{M}]+/u)
		.filter(Boolean);
}

// As Singapore's Spam Control Act 2007 spells it: before the first word of a message that has no subject.
function hasAdLabel(text: string): boolean {
	return text.trimStart().startsWith("<ADV>");
}

const cardDigitsMin = 13;
const cardDigitsMax = 19;

// As a form has it for a blank: a plus also adds amounts up and begins telephone numbers, so in a card's groups alone.
const cardInPluses = /(?<!\d)(?=((?:[3-6]\d|2[2-7])\d\d(?:(?:\+\d{4}){3}|\+\d{6}\+\d{4,5}))(?!\d))/g;

// PCI DSS 4.0.1 4.2.2. Digits of any script, in groups with up to eight separators between them.
function hasCardNumber(text: string): boolean {
	if (!/\p{Nd}[\s\S]*\p{Nd}/u.test(text)) return false;
	const digits = text
		.normalize("NFKC")
		.replace(/\p{Cf}|\p{M}/gu, "")
		.replace(/[^\P{Nd}0-9]/gu, toAscii);
	const runs = digits.match(/\d+(?:[\s\p{Pd}\p{Pc}.,:;/\\|*·•'"()[\]{}<>~]{1,8}\d+)*/gu) ?? [];
	if (runs.some((run) => groupsHoldCard(run.match(/\d+/g) ?? []))) return true;
	return [...digits.matchAll(cardInPluses)].some(([, number = ""]) => passesLuhn(number.replaceAll("+", "")));
}

// A card number is whole groups: a piece cut out of a longer number is not one.
function groupsHoldCard(groups: string[]): boolean {
	return groups.some((_, start) => {
		let number = "";
		for (const group of groups.slice(start, start + cardDigitsMax)) {
			number += group;
			if (number.length > cardDigitsMax) return false;
			if (number.length >= cardDigitsMin && !number.startsWith("0") && passesLuhn(number)) return true;
		}
		return false;
	});
}

function passesLuhn(number: string): boolean {
	let sum = 0;
	for (let place = 0; place < number.length; place += 1) {
		const digit = number.charCodeAt(number.length - 1 - place) - 48;
		const doubled = place % 2 === 1 ? digit * 2 : digit;
		sum += doubled > 9 ? doubled - 9 : doubled;
	}
	return sum % 10 === 0;
}

// Decimal digits stand in rows of ten, zero first.
function toAscii(character: string): string {
	const code = character.codePointAt(0) ?? 0;
	let zero = code;
	while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
	return String(code - zero);
}
