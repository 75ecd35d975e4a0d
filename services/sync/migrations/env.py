from shared.migrate import run
from sync.tables import Base

run(Base.metadata)
