Feature: A failure has a code, and says whether trying again may help

  Callers are programs: they decide by the code of an error and not by its words. Whatever went wrong, at the
  provider, in the model or in a slot, has one code of a closed list, and `retryable` is true only where the
  same prompt may succeed later. The pool's slots never retry by themselves, so a refusal is known as soon as
  it has happened, and the slot goes on with the next task. What the provider refuses to everybody, because of
  the login, of money or of how much is used, is not the task's failure: see the features of limits.

  @real
  Scenario: What the provider refuses
    Given a pool of 1 slot
    When the coordinator submits
      | task | which                      |
      | C    | is refused with status 404 |
      | E    | is refused with status 500 |
      | H    | is too long                |
      | J    | answers "still here"       |
    Then the tasks are
      | task | state     | error           | retryable | attempts |
      | C    | failed    | model_not_found | no        | 1        |
      | E    | failed    | provider_error  | yes       | 1        |
      | H    | failed    | prompt_too_long | no        | 1        |
      | J    | completed |                 |           | 1        |

  Scenario Outline: What a slot does not survive
    Given a pool of 1 slot
    When the coordinator runs A, which <does>
    Then A fails for now with <code>
    When the coordinator runs B, which answers "another process"
    Then B is completed

    Examples:
      | does                           | code        |
      | loses its process              | slot_failed |
      | loses its process in silence   | no_result   |

  @cli
  Scenario: An answer without any text is still an answer
    Given a pool of 1 slot
    When the coordinator runs A, which answers nothing
    Then A answers ""
