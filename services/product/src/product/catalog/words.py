"""What is searched in a product, and what somebody who searches means. In SQL, because both must take words alike."""

from typing import Final

# Left in, it would make numbers, paths and addresses of what are several words, and operators of what is typed.
_PUNCTUATION: Final = "!\"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~"


def _words_of(text: str) -> str:
    blanks = " " * len(_PUNCTUATION.replace("''", "'"))
    return f"to_tsvector('simple'::regconfig, translate({text}, '{_PUNCTUATION}'::text, '{blanks}'::text))"


WORDS: Final = _words_of("(name || ' '::text) || description")
"""As it is indexed, and as PostgreSQL writes it: by another expression the index would not be found."""

# One or two letters begin too many words to be looked up: they are words by themselves. And of many words the first
# eight say enough.
WANTED_WORDS: Final = f"""(
    SELECT string_agg(quote_literal(lexeme) || CASE WHEN length(lexeme) > 2 THEN ':*' ELSE '' END, ' & ')::tsquery
    FROM (SELECT lexeme FROM unnest({_words_of(":words")}) ORDER BY positions[1] LIMIT 8) AS first
)"""
