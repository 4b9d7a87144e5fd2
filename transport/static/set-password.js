// The token stands behind the # of the address, which browsers never send: it is in no log on the way.
import { ask, at, done, onSubmit, speak, tell } from "./asking.js";

const MUTATION = `mutation ($input: SetPasswordInput!) { setPassword(input: $input) {
  __typename ... on PasswordSet { message } ... on Refusal { message }
  ... on InvalidInput { problems { message } } } }`;

const WORDS = {
  en: {
    title: "Set a password",
  },
  ja: {
    title: "パスワードの設定",
  },
};

speak(WORDS);
onSubmit(at("form"), async () => {
  const input = { token: location.hash.slice(1), password: at("password").value, passwordAgain: at("again").value };
  const { setPassword: answer } = await ask(MUTATION, { input });
  if (answer.__typename === "PasswordSet") done(at("form"), answer.message);
  else tell("bad", ...(answer.problems ?? [answer]).map(({ message }) => message));
});
