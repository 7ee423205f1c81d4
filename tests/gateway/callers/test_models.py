"""The table of keys: its migrations, and which values it takes."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command

from gateway_project.models import ApiKey

pytestmark = pytest.mark.django_db


def test_the_migrations_make_the_table_that_the_model_says():
    call_command("makemigrations", "gateway_project", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("name", "\x1b[2J"),
        ("tenant", ""),
        ("tenant", "a b"),
        ("tenant", "a:b"),
        ("tenant", "a\n"),
        ("tenant", "-a"),
        ("rate", "100"),
        ("rate", "0/s"),
    ],
)
def test_a_bad_value_is_an_error_of_its_field(field: str, value: str):
    row = ApiKey(**{"name": "reader", field: value})
    row.draw()

    with pytest.raises(ValidationError) as caught:
        row.full_clean()

    assert list(caught.value.message_dict) == [field]


def test_a_text_of_a_key_shows_no_more_than_its_prefix():
    row = ApiKey(name="reader")
    key = row.draw()

    assert str(row) == f"reader ({key[:12]})"
    assert key not in repr(row)
