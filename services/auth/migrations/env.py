from auth.tables import Base
from shared.migrate import run

run(Base.metadata)
