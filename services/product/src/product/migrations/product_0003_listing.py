"""The indexes that lists of products are read by: one for each order, within each category or not, and the words."""

from alembic import op

revision = "product_0003"
down_revision = "product_0002"
branch_labels = None
depends_on = None

_WORDS = r"""
    to_tsvector(
        'simple',
        translate(name || ' ' || description, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', '                                ')
    )
"""


def upgrade() -> None:
    op.execute("CREATE INDEX ix_products_newest ON products (is_active, in_stock, created_at, id) INCLUDE (price)")
    op.execute("CREATE INDEX ix_products_price ON products (is_active, in_stock, price, id)")
    op.execute("""
        CREATE INDEX ix_products_category_newest
        ON products (category_id, is_active, in_stock, created_at, id) INCLUDE (price)
    """)
    op.execute("CREATE INDEX ix_products_category_price ON products (category_id, is_active, in_stock, price, id)")
    # What is put on a pending list instead would have to be read by each search.
    op.execute(f"CREATE INDEX ix_products_words ON products USING gin (({_WORDS})) WITH (fastupdate = off)")
    # Statistics of the words are not used, and would cost making the words of 30,000 products with each ANALYZE.
    op.execute("ALTER INDEX ix_products_words ALTER COLUMN 1 SET STATISTICS 0")
    # A search visits many products and looks at little of each: a long description is kept out of its way. An index
    # alone answers a list only as long as VACUUM keeps up.
    op.execute("""
        ALTER TABLE products SET (
            toast_tuple_target = 256,
            autovacuum_vacuum_scale_factor = 0.02,
            autovacuum_vacuum_insert_scale_factor = 0.02,
            autovacuum_analyze_scale_factor = 0.02
        )
    """)
