import { ask, at, day, element, facts, factsOfResult, letIn, moment, speak, withSession, words } from "./asking.js";

const LOG_IN = `mutation ($input: LogInInput!) { logIn(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const RESULTS = `{ me { name nativeName language results {
  qualification examDate status headline overallScoreShown cefr statementNumber skillScores { skill score }
  notices { text } versions { version endedBy endedAt reason } told { version toldAt institution { shownAs } } } } }`;
// The hint to choose by comes in the account's language.
const FIND = `query ($search: String!) { institutions(search: $search) { id shownAs city country hint } }`;

const WORDS = {
  en: {
    title: "Your results",
    found: (count) => (count ? `Institutions found: ${count}` : "No institution found."),
    AMENDED: "Amended",
    RELEASED_AGAIN: "Released again",
    told: "Told of a change",
  },
  ja: {
    title: "試験結果",
    found: (count) => (count ? `見つかった機関: ${count}` : "該当する機関はありません。"),
    AMENDED: "訂正",
    RELEASED_AGAIN: "再公開",
    told: "変更の通知先",
  },
};

function factsToShow(result) {
  const changes = result.versions.map(({ endedBy, endedAt, reason }) => [
    `${words[endedBy] ?? endedBy}, ${moment(endedAt)}`, reason, {},
  ]);
  const told = result.told.map(({ toldAt, institution }) => [`${words.told}, ${moment(toldAt)}`, institution.shownAs]);
  return [...factsOfResult(result), ...changes, ...told];
}

function line(result) {
  const item = element("li");
  const heading = element("h3", result.qualification, { translate: "no" });
  item.append(heading, element("p", day(result.examDate)), facts(factsToShow(result)));
  item.append(...result.notices.map(({ text }) => element("p", text)));
  return item;
}

async function show() {
  const { me } = await ask(RESULTS);
  if (me !== null) speak(WORDS, me.language);
  letIn(me !== null);
  at("rows").replaceChildren(...(me?.results ?? []).map(line));
  at("owner").textContent = me?.nativeName ? `${me.name} (${me.nativeName})` : me?.name;
  at("empty").hidden = me?.results.length !== 0;
}

function suggestion({ shownAs, city, country, hint }) {
  const item = element("li");
  const land = new Intl.DisplayNames(words.locale, { type: "region" }).of(country);
  item.append(element("h3", shownAs, { translate: "no" }), element("p", [city, land].join(", ")));
  if (hint !== null) item.append(element("p", hint, { class: "hint" }));
  return item;
}

// One search at a time, and after it the one for what was typed last: no key in between is asked for.
let isAsking = false;
async function find() {
  if (isAsking) return;
  isAsking = true;
  let search;
  while (search !== at("find").value.trim()) {
    search = at("find").value.trim();
    await suggest(search).catch(() => { at("counted").textContent = words.failed; });
  }
  isAsking = false;
}

async function suggest(search) {
  const { institutions } = search ? await ask(FIND, { search }) : { institutions: [] };
  at("found").replaceChildren(...institutions.map(suggestion));
  at("counted").textContent = search && words.found(institutions.length);
}

at("find").addEventListener("input", find);

speak(WORDS);
withSession(LOG_IN, "idNumber", show);
