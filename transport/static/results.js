import { ask, at, day, element, facts, factsOfResult, letIn, moment, speak, withSession, words } from "./asking.js";

const LOG_IN = `mutation ($input: LogInInput!) { logIn(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const RESULTS = `{ me { name nativeName language results {
  qualification examDate status headline overallScoreShown cefr statementNumber skillScores { skill score }
  notices { text } versions { version endedBy endedAt reason } told { version toldAt institution { shownAs } } } } }`;

const WORDS = {
  en: {
    title: "Your results",
    AMENDED: "Amended",
    RELEASED_AGAIN: "Released again",
    told: "Told of a change",
  },
  ja: {
    title: "試験結果",
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

speak(WORDS);
withSession(LOG_IN, "idNumber", show);
