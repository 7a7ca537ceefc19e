"""The rule for statements that Citus can run on a table distributed by workload_uid.

Citus sends a statement whole to the server of one shard if each reference to the table is filtered by the same
constant, and to all shards if it is a plain GROUP BY on the distribution column. It refuses or splits all others:
no catalogs together with the table, no recursive CTE without the filter.
"""

import re
from collections.abc import Iterator
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType

TABLE = "training_performance"
KEY = "workload_uid"
UID = "'a workload'"


def fill_in(statement: str) -> str:
    """Return ``statement`` with constants for the parameters that psycopg2 would bind."""
    with_uid = statement.replace(f"%({KEY})s", UID)
    return re.sub(r"%\(\w+\)s", "NULL", with_uid).replace("%%", "%")


def list_violations(statement: str, *, local: frozenset[str] = frozenset()) -> list[str]:
    """Return the reasons why Citus cannot run ``statement``; ``local`` are other tables that it may read."""
    *settings, raw = parse_sql(statement)
    # The coordinator keeps settings for itself.
    assert all(isinstance(each.stmt, ast.VariableSetStmt) and each.stmt.is_local for each in settings), statement
    query = raw.stmt.query if isinstance(raw.stmt, ast.CopyStmt) else raw.stmt
    nodes = list(_walk(query))
    ctes = {node.ctename for node in nodes if isinstance(node, ast.CommonTableExpr)}
    relations = [node.relname for node in nodes if isinstance(node, ast.RangeVar)]
    if TABLE not in relations or _is_plain_group_by(query, nodes):
        return []
    others = sorted(set(relations) - ctes - local - {TABLE})
    violations = [f"{name} is not distributed" for name in others]
    constants = [each for node in nodes for each in _list_constants(node)]
    if None in constants:
        violations.append(f"a reference to {TABLE} has no {KEY} = constant")
    if len({each for each in constants if each is not None}) > 1:
        violations.append(f"there are several constants for {KEY}")
    return violations


def _walk(node: Any) -> Iterator[Any]:
    if isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _walk(getattr(node, name))
    elif isinstance(node, tuple):
        for each in node:
            yield from _walk(each)


def _is_plain_group_by(query: Any, nodes: list[Any]) -> bool:
    """Return whether ``query`` groups the table by the distribution column and does nothing else."""
    selects = sum(isinstance(node, ast.SelectStmt) for node in nodes)
    windows = any(isinstance(node, ast.FuncCall) and node.over for node in nodes)
    if selects != 1 or windows or not isinstance(query, ast.SelectStmt):
        return False
    reads_table = len(query.fromClause or ()) == 1 and isinstance(query.fromClause[0], ast.RangeVar)
    return reads_table and not query.limitCount and any(map(_is_key, query.groupClause or ()))


def _list_constants(node: Any) -> Iterator[str | None]:
    """Yield the constant of each reference to the table in ``node`` itself, None without a constant."""
    if isinstance(node, ast.InsertStmt) and node.relation.relname == TABLE:
        names = [column.name for column in node.cols]
        targets = node.selectStmt.targetList
        yield _read_constant(targets[names.index(KEY)].val) if KEY in names else None
    if isinstance(node, ast.DeleteStmt | ast.UpdateStmt) and node.relation.relname == TABLE:
        yield _find_constant(node.whereClause, TABLE)
    if isinstance(node, ast.SelectStmt):
        for relation in _list_relations(node.fromClause or ()):
            if relation.relname == TABLE:
                yield _find_constant(node.whereClause, relation.alias.aliasname if relation.alias else TABLE)


def _list_relations(items: tuple[Any, ...]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, ast.RangeVar):
            yield item
        elif isinstance(item, ast.JoinExpr):
            yield from _list_relations((item.larg, item.rarg))


def _find_constant(condition: Any, alias: str) -> str | None:
    """Return the constant to which ``condition`` compares the column, possibly in a conjunction."""
    if isinstance(condition, ast.BoolExpr) and condition.boolop == BoolExprType.AND_EXPR:
        found = (_find_constant(each, alias) for each in condition.args)
        return next((each for each in found if each is not None), None)
    if isinstance(condition, ast.A_Expr) and condition.kind == A_Expr_Kind.AEXPR_OP and _is_key(condition.lexpr, alias):
        return _read_constant(condition.rexpr) if [each.sval for each in condition.name] == ["="] else None
    return None


def _is_key(node: Any, alias: str = TABLE) -> bool:
    if not isinstance(node, ast.ColumnRef):
        return False
    return [each.sval for each in node.fields if isinstance(each, ast.String)] in ([KEY], [alias, KEY])


def _read_constant(node: Any) -> str | None:
    if isinstance(node, ast.TypeCast):
        return _read_constant(node.arg)
    return str(node.val.sval) if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String) else None
