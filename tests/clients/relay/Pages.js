// What a dashboard written with Relay asks; relay-compiler reads it, nothing runs it.

import { graphql } from 'relay-runtime';

graphql`
  query PagesInboxQuery($count: Int!, $cursor: String) {
    ...PagesInbox @arguments(count: $count, cursor: $cursor)
  }
`;

graphql`
  fragment PagesInbox on Query
  @refetchable(queryName: "PagesInboxPaginationQuery")
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" }) {
    inbox(first: $count, after: $cursor) @connection(key: "PagesInbox_inbox") {
      totalCount
      edges {
        node {
          id
          status
          candidate {
            name
          }
        }
      }
    }
  }
`;

graphql`
  query PagesSharesQuery($id: ID!, $count: Int!, $cursor: String) {
    node(id: $id) {
      ...PagesShares @alias @arguments(count: $count, cursor: $cursor)
    }
  }
`;

graphql`
  fragment PagesShares on Result
  @refetchable(queryName: "PagesSharesPaginationQuery")
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" }) {
    statementNumber
    shares(first: $count, after: $cursor) @connection(key: "PagesShares_shares") {
      edges {
        node {
          id
          institution {
            shownAs
          }
        }
      }
    }
  }
`;

graphql`
  fragment PagesShare on Share @refetchable(queryName: "PagesShareRefetchQuery") {
    status
    openedAt
  }
`;

graphql`
  mutation PagesOpenMutation($input: OpenShareInput!) {
    openShare(input: $input) {
      __typename
      ... on ShareOpened {
        share {
          ...PagesShare
        }
      }
      ... on Refusal {
        message
      }
    }
  }
`;

graphql`
  subscription PagesNewSharesSubscription($after: String) {
    newShares(after: $after) {
      cursor
      share {
        id
        status
      }
    }
  }
`;
