Feature: A slot asks before it uses a tool that it has no leave for

  In most permission modes some tools need leave. The slot then asks, its task tells what it asks, and a wait
  tells of the task, because it needs someone. Whoever answers allows the tool, perhaps with another input, or
  denies it and says why. A question is denied when nobody has answered after question_seconds (60 by default;
  0 denies everything at once), so a slot never hangs on one. In the modes plan and dontAsk nobody is asked.

  A client of the older protocol that declares elicitation is shown the question as a form: its person allows or
  denies there. A form that is closed, or that nobody fills, leaves the question open for others.

  @real
  Scenario: A tool that is allowed runs
    Given a pool of 1 slot with
      | permission mode  | default |
      | question timeout | 60 s    |
    When the coordinator submits A, which wants to run "touch made && echo done" and is told the result
    Then A asks "May it use Bash: touch made && echo done"
    When the coordinator answers A with allow
    Then A answers "done"

  @real
  Scenario: A tool that is denied does not run, and the model is told why
    Given a pool of 1 slot with
      | permission mode  | default |
      | question timeout | 60 s    |
    When the coordinator submits A, which wants to run "touch made" and is told the result
    Then A asks "May it use Bash: touch made"
    When the coordinator answers A with deny, saying "not here"
    Then A answers "not here"
    And the story of A is
      | event             | actor       |
      | task.submitted    | coordinator |
      | attempt.started   | policy      |
      | session.opened    | policy      |
      | question.asked    | slot        |
      | question.answered | coordinator |
      | attempt.succeeded | slot        |
      | task.completed    | slot        |

  Scenario: What nobody answers is denied at its deadline
    Given a pool of 1 slot with
      | permission mode  | default |
      | question timeout | 3 s     |
    When the coordinator submits A, which wants to run "touch made" and answers "went on"
    Then A asks "May it use Bash: touch made"
    When 3 seconds pass
    Then A answers "went on"
    When the coordinator answers A with allow
    Then the coordinator is refused with wrong_state

  Scenario: A wait tells of a question once
    Given a pool of 1 slot with
      | permission mode  | default |
      | question timeout | 60 s    |
    When the coordinator submits A, which wants to run "touch made" and answers "went on"
    Then A asks "May it use Bash: touch made"
    When the coordinator waits
    Then the wait tells of A
    When the coordinator asks what is new
    Then the wait tells of nothing
    When the coordinator answers A with allow
    And the coordinator waits
    Then the wait tells of A
    And A answers "went on"

  Scenario: A run comes back with the question
    Given a pool of 1 slot with
      | permission mode  | default |
      | question timeout | 60 s    |
    When the coordinator runs A, which wants to run "touch made" and answers "went on"
    Then A asks "May it use Bash: touch made"
    And A is running because of "question"
    When the coordinator answers A with deny, saying "not now"
    Then A answers "went on"

  Scenario: Nobody is asked where nobody may be asked
    Given a pool of 1 slot with
      | permission mode  | plan |
      | question timeout | 60 s |
    When the coordinator runs A, which wants to run "touch made" and answers "went on"
    Then A answers "went on"

  Scenario: A cancelled task does not wait for an answer
    Given a pool of 1 slot with
      | permission mode  | default |
      | question timeout | 60 s    |
    When the coordinator submits A, which wants to run "touch made" and answers "went on"
    Then A asks "May it use Bash: touch made"
    When the coordinator cancels A
    Then A is cancelled
    When the coordinator answers A with allow
    Then the coordinator is refused with wrong_state
